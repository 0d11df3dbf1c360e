// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Which devices the kernel refuses to carry through a live update, and why.
///
/// Source, of the series "iommu: Add live update state preservation" (2026, in review) and of the VFIO
/// series that it builds on:
/// - drivers/iommu/liveupdate.c, `iommu_preserve_device`: no PCI device, a group without an owner, a domain
///   that is not preserved, and, where the handover has a version, a group of more than one device
///   (`iommu_group_is_singleton`); `iommu_preserve_domain`: a domain without a generic page table;
/// - drivers/iommu/intel/liveupdate.c, `intel_iommu_preserve_device`: real-DMA sub-devices, and devices
///   without a domain of the driver's;
/// - drivers/iommu/iommufd/device.c, `iommufd_device_preserve`: a domain that is no paging domain of
///   iommufd's or handles page requests;
/// - drivers/vfio/pci/vfio_pci_liveupdate.c, `vfio_pci_liveupdate_can_preserve`: files other than
///   vfio-pci's character devices, drivers that are built on vfio-pci, and Intel displays.
struct PreservationRules {
  private let facts: MachineFacts
  private let types: [KernelAddress: DomainType]
  /// Devices of each group.
  private let groups: [Int: Int]

  init(_ state: RemappingState, facts: MachineFacts) {
    self.facts = facts
    var types: [KernelAddress: DomainType] = [:]
    for domain in state.domains {
      if let object = domain.kernelObject { types[object] = domain.type }
    }
    self.types = types
    groups = Dictionary(
      state.devices.compactMap { device in device.group.map { ($0, 1) } }, uniquingKeysWith: +)
  }

  private func type(of device: Device) -> DomainType? { device.domain.flatMap { types[$0] } }

  /// Whether VFIO or iommufd has the device, so that somebody could ask for it to be preserved.
  func isOwned(_ device: Device) -> Bool {
    Self.isVFIO(device.driver) || type(of: device) == .unmanaged
  }

  /// `vfio-pci`, and the drivers for one kind of device that are built on it.
  private static func isVFIO(_ driver: String?) -> Bool {
    guard let driver else { return false }
    return String(driver.map { $0 == "-" ? "_" : $0 }).hasSuffix("vfio_pci")
  }

  /// Why it cannot be preserved; empty if it can.
  func refusals(of device: Device) -> [String] {
    var reasons: [String] = []
    if device.unit == nil { reasons.append("no remapping unit translates for it") }
    guard let function = device.device.function else {
      return reasons + ["it is no PCI function"]
    }
    if function.isBehindVMD {
      reasons.append(
        "it is a sub-device of a VMD controller: its requests carry the controller's source id")
    }
    if let group = device.group, let count = groups[group], count > 1, facts.refusesSharedGroups {
      reasons.append("its group \(group) has \(count) devices, and only a group of one is accepted")
    }
    if let reason = refusalOfDriver(device, function) { reasons.append(reason) }
    if let reason = refusalOfDomain(device) { reasons.append(reason) }
    return reasons
  }

  private func refusalOfDriver(_ device: Device, _ function: PCIFunction) -> String? {
    guard Self.isVFIO(device.driver) else {
      // Without the name of a driver, the domain alone tells who has it.
      if device.driver == nil, type(of: device) == .unmanaged { return nil }
      return "the kernel itself has it"
        + (device.driver.map { " (driver \($0))" } ?? "") + ": only what is open as a character"
        + " device of vfio-pci can be asked for"
    }
    if let driver = device.driver, !driver.isDriver("vfio-pci") {
      return "its driver \(driver) is built on vfio-pci, and vfio-pci alone can hand devices over"
    }
    if facts.displays.contains(function), device.pciID?.hasPrefix("8086:") == true {
      return "it is an Intel display, which vfio-pci does not hand over"
    }
    return nil
  }

  private func refusalOfDomain(_ device: Device) -> String? {
    guard let domain = device.domain else { return "it has no domain" }
    if facts.pageRequestDomains.contains(domain) {
      return "its domain handles page requests, which nobody would answer"
    }
    switch type(of: device) {
    case .identity?, .blocked?:
      return "its domain has no tables of its own that could be handed over"
    case .sva?: return "its domain is a process's, which ends with the old kernel"
    case .nested?: return "its domain is nested in tables of a guest"
    case .dma?, .dmaFQ?:
      return "its domain is the kernel's own: iommufd must attach one first"
    case .unmanaged? where facts.domainsWithoutIOMMUFD.contains(domain):
      return "its domain is a VFIO container's, and iommufd's alone are handed over"
    default: return nil
    }
  }

  /// What stands between a preserved device and the update although nobody refuses it.
  func remarks(on device: Device) -> [String] {
    guard let group = device.group, let count = groups[group], count > 1 else { return [] }
    return ["its group \(group) has \(count) devices, and later versions of the code refuse those"]
  }
}
