// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
internal import Memory
internal import RemappingState

/// The fixed regions of a machine, computed from the kernel's lists as the kernel would.
///
/// The kernel makes its lists of regions on request and frees them, so no dump holds them.
///
/// Source: drivers/iommu/intel/iommu.c, `intel_iommu_get_resv_regions`.
struct Regions {
  struct Region: Hashable {
    var kind: ReservedRegion.Kind
    var segment: UInt32?
    /// Inclusive.
    var range: ClosedRange<UInt64>
  }

  /// The interrupt address range; requests to it are interrupts and never translated.
  static let msiWindow: ClosedRange<UInt64> = 0xfee0_0000...0xfeef_ffff
  /// What an ISA bridge may need for floppy disks (CONFIG_INTEL_IOMMU_FLOPPY_WA).
  static let isaWindow: ClosedRange<UInt64> = 0...0xff_ffff

  private(set) var byDevice: [DeviceName: [Region]] = [:]
  /// Every region with the devices that have it, by segment and base.
  private(set) var all: [(region: Region, devices: [DeviceName])] = []

  init(_ kernel: LinuxIOMMU) {
    var owners: [Region: [DeviceName]] = [:]
    let reserved = kernel.reservedRegions.filter { $0.base <= $0.end }
    var byScope: [DeviceName: [Int]] = [:]
    for (index, region) in reserved.enumerated() {
      for name in Set(region.scope) { byScope[name, default: []].append(index) }
    }
    // Ranges that some device has.
    var claimed: Set<ClosedRange<UInt64>> = []
    // Other drivers have other regions.
    for device in kernel.devices where device.isRemapped && kernel.otherUnits.isEmpty {
      let segment = device.name.function?.segment
      var own: [Region] = []
      let names = [device.name] + device.bridges.map(DeviceName.pci)
      for index in Set(names.flatMap { byScope[$0] ?? [] }).sorted() {
        let range = reserved[index].base...reserved[index].end
        own.append(Region(kind: .rmrr, segment: segment, range: range))
        claimed.insert(range)
      }
      // PCI_CLASS_BRIDGE_ISA
      if let code = device.classCode, code >> 8 == 0x0601 {
        own.append(Region(kind: .isa, segment: segment, range: Self.isaWindow))
      }
      own.append(Region(kind: .msi, segment: segment, range: Self.msiWindow))
      own.sort {
        ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
      }
      byDevice[device.name] = own
      for region in own { owners[region, default: []].append(device.name) }
    }
    // A region none of whose devices exists is still a fact of this machine.
    for rmrr in reserved {
      let range = rmrr.base...rmrr.end
      if claimed.insert(range).inserted {
        let segment = rmrr.scope.lazy.compactMap { $0.function?.segment }.first
        owners[Region(kind: .rmrr, segment: segment, range: range)] = rmrr.scope
      }
    }
    all = owners.map { (region: $0.key, devices: $0.value.sorted()) }.sorted {
      let (a, b) = ($0.region, $1.region)
      return (a.segment ?? .max, a.range.lowerBound, a.range.upperBound, a.kind.rawValue)
        < (b.segment ?? .max, b.range.lowerBound, b.range.upperBound, b.kind.rawValue)
    }
  }

  /// Ranges that a domain may map without being in use: reserved memory regions and ISA windows.
  var fixed: AddressRanges {
    AddressRanges(
      all.lazy.filter { $0.region.kind == .rmrr || $0.region.kind == .isa }.map {
        ($0.region.range.lowerBound & ~0xfff)...($0.region.range.upperBound | 0xfff)
      })
  }
}

extension LinuxDevice {
  /// Whether the remapping code knows the device at all.
  var isRemapped: Bool { info != nil || hasGroup || attachDeferred }
}
