// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import TableCopy

/// Which devices a live update preserves, and what that means for each unit's tables.
///
/// Rules of the series "iommu: Add live update state preservation" (version 3 of 15 June 2026),
/// drivers/iommu/intel/liveupdate.c and drivers/iommu/liveupdate.c:
/// - `intel_iommu_preserve_device` refuses devices that are not PCI, real-DMA sub-devices, and devices
///   without a domain of the driver's; `iommu_preserve_domain` those whose domain has no generic page
///   table of its own, and iommufd those with page requests;
/// - at shutdown `clear_unpreserve_context_entry_fn` zeroes the entries of every other device and of
///   all its aliases, and clears PRE in the entry of a preserved one, not in those of its aliases;
/// - a unit without a preserved device is switched off, as in any other reboot.
struct LiveUpdateChoice {
  struct Candidate {
    var device: Device
    var outcome: LiveUpdateForecast.Outcome
    var reasons: [String]
    /// Source ids that its requests may carry, its own first.
    var sourceIDs: [UInt16]
  }

  var chosenBy: LiveUpdateForecast.Choice
  /// Every device that a unit translates for, by device.
  var candidates: [Candidate] = []
  /// Names that were asked for and that the kernel does not know.
  var unknown: [DeviceName] = []
  /// By name, of units with a preserved device.
  var updates: [String: InPlaceUpdate] = [:]

  init(_ state: RemappingState, facts: MachineFacts, asked: [DeviceName]?) {
    chosenBy = asked == nil ? .byOwner : .byOption
    var types: [KernelAddress: DomainType] = [:]
    for domain in state.domains {
      if let object = domain.kernelObject { types[object] = domain.type }
    }
    let groups = Dictionary(
      state.devices.compactMap { device in device.group.map { ($0, 1) } }, uniquingKeysWith: +)
    let wanted = Set(asked ?? [])
    unknown = (asked ?? []).filter { name in !state.devices.contains { $0.device == name } }
    for device in state.devices {
      let type = device.domain.flatMap { types[$0] }
      let isOwned = Self.isVFIO(device.driver) || type == .unmanaged
      let isWanted = asked == nil ? isOwned : wanted.contains(device.device)
      guard device.unit != nil || isWanted else { continue }
      var candidate = Candidate(
        device: device, outcome: .dropped, reasons: [], sourceIDs: Self.sourceIDs(of: device))
      if isWanted {
        candidate.reasons = Self.refusals(device, type, facts)
        candidate.outcome = candidate.reasons.isEmpty ? .preserved : .refused
        if !isOwned {
          candidate.reasons.append(
            "its domain is the kernel's own today: VFIO and iommufd must have the device first")
        }
        if let group = device.group, let count = groups[group], count > 1 {
          candidate.reasons.append(
            "its group \(group) has \(count) devices, and later versions of the code refuse those")
        }
      }
      candidates.append(candidate)
    }
    candidates.sort { $0.device.device < $1.device.device }
    for unit in Set(candidates.filter { $0.outcome == .preserved }.compactMap(\.device.unit)) {
      var update = InPlaceUpdate()
      for candidate in candidates where candidate.device.unit == unit {
        if candidate.outcome == .preserved {
          if let own = candidate.sourceIDs.first { update.withoutPageRequests.insert(own) }
        } else {
          update.cleared.formUnion(candidate.sourceIDs)
        }
      }
      updates[unit] = update
    }
  }

  /// Preserved devices of a unit.
  func preserved(on unit: String) -> [Candidate] {
    candidates.filter { $0.device.unit == unit && $0.outcome == .preserved }
  }

  /// `vfio-pci`, and the drivers for one kind of device that are built on it.
  private static func isVFIO(_ driver: String?) -> Bool {
    guard let driver else { return false }
    return String(driver.map { $0 == "-" ? "_" : $0 }).hasSuffix("vfio_pci")
  }

  /// Segments from 0x10000 on are those that the driver of a VMD controller gives to its buses; the
  /// requests of functions there carry the controller's source id.
  ///
  /// Source: drivers/pci/controller/vmd.c, `vmd_find_free_domain`; arch/x86/pci/common.c,
  /// `pci_real_dma_dev`.
  private static func isRealDMASubdevice(_ function: PCIFunction) -> Bool {
    function.segment >= 0x10000
  }

  private static func sourceIDs(of device: Device) -> [UInt16] {
    var ids: [UInt16] = []
    let own = device.device.function.flatMap { isRealDMASubdevice($0) ? nil : $0 }
    for function in [own].compactMap(\.self) + device.aliases.compactMap(\.function) {
      if !ids.contains(function.sourceID) { ids.append(function.sourceID) }
    }
    return ids
  }

  private static func refusals(
    _ device: Device, _ type: DomainType?, _ facts: MachineFacts
  ) -> [String] {
    var reasons: [String] = []
    if device.unit == nil { reasons.append("no remapping unit translates for it") }
    guard let function = device.device.function else {
      return reasons + ["it is no PCI function"]
    }
    if isRealDMASubdevice(function) {
      reasons.append(
        "it is a sub-device of a VMD controller: its requests carry the controller's source id")
    }
    guard let domain = device.domain else { return reasons + ["it has no domain"] }
    switch type {
    case .identity?, .blocked?:
      reasons.append("its domain has no tables of its own that could be handed over")
    case .sva?: reasons.append("its domain is a process's, which ends with the old kernel")
    case .nested?: reasons.append("its domain is nested in tables of a guest")
    default: break
    }
    if facts.pageRequestDomains.contains(domain) {
      reasons.append("its domain handles page requests, which nobody would answer")
    }
    return reasons
  }
}
