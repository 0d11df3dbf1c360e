// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
internal import Memory
internal import RemappingState
internal import VTd

extension Assembler {
  /// The devices that the remapping code knows, as the kernel believed them.
  func devices(
    contexts: [Context], domains: [Domain], hidden: HiddenContexts
  ) -> [Device] {
    var rowByKey: [DomainKey: Domain] = [:]
    for row in domains where row.unit != nil && !row.devices.isEmpty {
      rowByKey[row.key] = row
    }
    // The context of requests without PASID.
    var contextByDevice: [PCIFunction: Context] = [:]
    for context in contexts where context.servesRequestsWithoutPASID {
      if contextByDevice[context.device] == nil { contextByDevice[context.device] = context }
    }
    return kernel.devices.filter(\.isRemapped).map { device in
      let unit = device.iommu.flatMap { index.unitByObject[$0] }
      let attached = device.attachedDomain.flatMap { index.domains[$0] }
      var row = Device(
        device: device.name, unit: unit?.name,
        domainID: attached.flatMap { domain in
          unit.flatMap { domain.ids[$0.sequence] ?? domain.fixedID }
        },
        aliases: device.aliases.map(DeviceName.pci), group: device.group, driver: device.driver,
        kernelObject: device.info, domain: attached?.kernelObject,
        defaultDomainType: device.groupDefaultDomain.flatMap { index.domains[$0] }.map {
          DomainType($0.type)
        },
        pciID: device.vendorID.flatMap { vendor in
          device.deviceID.map { hexDigits(vendor) + ":" + hexDigits($0) }
        })
      let context = row.requesters.first.flatMap { contextByDevice[$0] }
      row.reservedRegions = (regions.byDevice[device.name] ?? []).map { region in
        DeviceRegion(
          kind: region.kind, base: IOVirtualAddress(region.range.lowerBound),
          end: IOVirtualAddress(region.range.upperBound),
          mapped: region.kind == .msi
            ? nil
            : coverage(
              of: region.range, by: context, rowByKey,
              isCertain: !hidden.mayHide(contextsOn: context?.unit ?? unit?.name)))
      }
      return row
    }
  }

  /// - Parameter isCertain: whether a context that is not there is not one that was not read.
  private func coverage(
    of region: ClosedRange<UInt64>, by context: Context?, _ rows: [DomainKey: Domain],
    isCertain: Bool
  ) -> ReservedRegion.Coverage? {
    guard let context else { return isCertain ? .absent : nil }
    switch context.translation {
    case .passThrough: return .identity
    case .none: return isCertain ? .absent : nil
    case .secondStage, .firstStage, .nested:
      guard let row = rows[context.domainKey], let mapping = row.mapping, let walk = row.walk else {
        return nil
      }
      let coverage = mapping.coverage(of: region)
      // A missing table may hold the missing part.
      let isCertain =
        coverage == .identity || coverage == .other
        || walk.unreadable == 0 && !walk.budgetExhausted
      return isCertain ? coverage : nil
    }
  }

  /// The fixed regions of the machine, with the worst that any device's tables make of each.
  func reservedRegions(_ devices: [Device]) -> [ReservedRegion] {
    // Every device may have every region.
    var coverages: [OwnedRegion: [ReservedRegion.Coverage?]] = [:]
    for device in devices {
      for row in device.reservedRegions {
        let key = OwnedRegion(
          device: device.device, kind: row.kind, base: row.base, end: row.end)
        coverages[key, default: []].append(row.mapped)
      }
    }
    return regions.all.map { region, owners in
      let base = IOVirtualAddress(region.range.lowerBound)
      let end = IOVirtualAddress(region.range.upperBound)
      let mapped = owners.flatMap { owner in
        coverages[OwnedRegion(device: owner, kind: region.kind, base: base, end: end)] ?? []
      }
      // One device whose coverage is unknown leaves the worst unknown, unless another is absent.
      let known = mapped.compactMap { $0 }
      let worst = known.max()
      return ReservedRegion(
        kind: region.kind, segment: region.segment, base: base, end: end, devices: owners,
        mapped: region.kind == .msi || (known.count < mapped.count && worst != .absent)
          ? nil : worst)
    }
  }

  private struct OwnedRegion: Hashable {
    var device: DeviceName
    var kind: ReservedRegion.Kind
    var base: IOVirtualAddress
    var end: IOVirtualAddress
  }

  private func hexDigits(_ value: UInt16) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 4 - digits.count) + digits
  }
}

extension LinuxDevice {
  /// The domain of requests without PASID: the driver's record, or the group's domain where the
  /// driver keeps none because the domain is static.
  var attachedDomain: KernelAddress? { domain ?? (attachDeferred ? nil : groupDomain) }
}
