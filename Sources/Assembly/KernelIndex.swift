// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
internal import Memory

/// What the assembly looks up among the kernel's objects, so that no join is quadratic.
///
/// Where two objects have one key, the first counts.
struct KernelIndex {
  /// Devices by every source id that may stand for them.
  let deviceBySource: [PCIFunction: Int]
  let domains: [KernelAddress: LinuxDomain]
  /// Domains by their id on a unit, as far as the kernel gave them one.
  let domainByID: [UnitDomainID: LinuxDomain]
  /// Units in use, by `LinuxUnit.sequence`.
  let unitBySequence: [Int: LinuxUnit]
  /// Units in use, by their `struct intel_iommu`.
  let unitByObject: [KernelAddress: LinuxUnit]
  /// Names of the devices that are attached to a domain, in the kernel's order.
  let devicesByDomain: [KernelAddress: [DeviceName]]

  struct UnitDomainID: Hashable {
    var sequence: Int
    var domainID: UInt32
  }

  init(_ kernel: LinuxIOMMU) {
    var sources: [PCIFunction: Int] = [:]
    for (index, device) in kernel.devices.enumerated() where device.isRemapped {
      for alias in device.aliases where sources[alias] == nil { sources[alias] = index }
    }
    // A function's own id counts before any alias.
    for (index, device) in kernel.devices.enumerated() {
      if device.isRemapped, let function = device.name.function { sources[function] = index }
    }
    deviceBySource = sources
    domains = Dictionary(
      kernel.domains.map { ($0.kernelObject, $0) }, uniquingKeysWith: { first, _ in first })
    var byID: [UnitDomainID: LinuxDomain] = [:]
    for domain in kernel.domains {
      for (sequence, id) in domain.ids {
        let key = UnitDomainID(sequence: sequence, domainID: id)
        if byID[key] == nil { byID[key] = domain }
      }
    }
    domainByID = byID
    let used = kernel.units.sorted {
      ($0.segment, $0.registerBase) < ($1.segment, $1.registerBase)
    }.filter { $0.kernelObject != nil }
    unitBySequence = Dictionary(
      used.map { ($0.sequence, $0) }, uniquingKeysWith: { first, _ in first })
    unitByObject = Dictionary(
      used.compactMap { unit in unit.kernelObject.map { ($0, unit) } },
      uniquingKeysWith: { first, _ in first })
    var attached: [KernelAddress: [DeviceName]] = [:]
    for device in kernel.devices {
      if let domain = device.attachedDomain { attached[domain, default: []].append(device.name) }
    }
    devicesByDomain = attached
  }
}
