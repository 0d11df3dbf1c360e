// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
public import Memory
public import RemappingState

/// What Linux believed about its remapping units when it crashed.
///
/// Nothing here looks at a translation table: table addresses are what the kernel's structures say.
/// Kernel variants are told apart by the members that exist, never by a version.
///
/// Source: drivers/iommu/intel/{dmar,iommu,pasid,irq_remapping}.c, drivers/iommu/{iommu,dma-iommu,
/// iova}.c of Linux 3.10 to 7.3, under their names of that time.
public struct LinuxIOMMU: Sendable {
  /// In the order of the kernel's list.
  public var units: [LinuxUnit] = []
  /// Units of other drivers, such as AMD-Vi's; looked for where the kernel's list of VT-d's is empty.
  public var otherUnits: [LinuxOtherUnit] = []
  /// Every domain that a unit, a device or a group leads to, by address.
  public var domains: [LinuxDomain] = []
  /// PCI functions by number, then the other devices of device scopes and groups.
  public var devices: [LinuxDevice] = []
  public var reservedRegions: [LinuxReservedRegion] = []
  /// Ranges that the kernel takes out of every IOVA allocator because host bridges forward them.
  public var hostBridgeWindows: [ClosedRange<UInt64>] = []
  /// Ranges of the template that older drivers copy into every allocator (`reserved_iova_list`).
  public var reservedTemplate: [ClosedRange<UInt64>] = []
  public var atsrs: [LinuxATSR] = []
  public var satcs: [LinuxATSR] = []
  /// What Linux says lies where in physical memory, from the tree of `iomem_resource`.
  public var memoryMap: [LinuxMemoryRegion] = []
  /// Source ids of I/O APICs and HPETs, by the unit that remaps their interrupts; `nil` where they
  /// could not be read.
  public var interruptSources: [KernelAddress: Set<UInt16>]?
  /// Bits of host physical addresses; `nil` if neither the log nor the kernel tells.
  public var hostAddressWidth: Int?
  /// What live updates hand over, as this kernel holds it; units have no names yet.
  public var handovers: [Handover] = []
  /// What could not be read, or contradicts itself.
  public var problems: [LinuxProblem] = []

  public init() {}
}

/// Something that the reader met and passed by.
public struct LinuxProblem: Hashable, Sendable {
  /// What was being read.
  public var structure: KernelStructure
  /// Which one, where there are several: the bus, CPU or unit.
  public var number: String?
  public var unit: String?
  public var device: DeviceName?
  /// Where, if an address is involved.
  public var address: KernelAddress?
  /// The absence behind it, where a page is what is missing.
  public var absence: Absence?
  /// Why it could not be read, or what is wrong; `nil` for the count of further problems.
  public var cause: Cause?
  public var message: String
}

/// A remapping unit that another driver than VT-d's has registered; one without address stands for whatever
/// puts devices into groups on a kernel that keeps no list of units.
public struct LinuxOtherUnit: Hashable, Sendable {
  /// The `struct iommu_device`.
  public var kernelObject: KernelAddress?
  public var name: String?

  public init(kernelObject: KernelAddress? = nil, name: String? = nil) {
    self.kernelObject = kernelObject
    self.name = name
  }
}

/// An ATS root-port structure (ATSR), or an SoC address translation cache structure (SATC).
public struct LinuxATSR: Hashable, Sendable {
  public var address: KernelAddress
  /// Of the firmware's structure, where the kernel keeps a copy of it.
  public var segment: UInt32?
  public var includeAll: Bool
  /// `atc_required` of an SATC; `nil` where the structure has no such member.
  public var required: Bool?
  public var devices: [DeviceName]
}

extension LinuxIOMMU {
  /// The symbols that the readers look for; a kernel has some of them, never all.
  public static let symbols: Set<String> = [
    "dmar_drhd_units", "dmar_rmrr_units", "dmar_atsr_units", "dmar_satc_units",
    "g_iommus", "g_num_of_iommus", "device_domain_list", "si_domain", "hw_pass_through",
    "identity_domain", "blocking_domain", "iommu_identity_mapping", "intel_iommu_enabled",
    "dmar_disabled", "dmar_policy", "intel_iommu_sm", "intel_iommu_ecs", "intel_iommu_pasid28",
    "reserved_iova_list", "deferred_flush", "list_size", "intel_iommu_ops",
    "intel_fs_paging_domain_ops", "intel_ss_paging_domain_ops", "iommu_device_list",
    "iommu_group_kset", "irq_remapping_enabled", "eim_mode", "pci_root_buses", "iomem_resource",
    "vmemmap_base", "ir_ioapic", "ir_hpet", "boot_cpu_data", "iommu_flb",
  ]

  /// Source files whose compile units define most of the structures that the readers ask for; for a
  /// reader of DWARF that would otherwise have to look through thousands of units. Those that define what is
  /// always asked for come first: a unit is indexed when none before it has a name.
  ///
  /// The driver's files moved into a folder of their own in Linux v5.8.
  public static let sources: [String] = [
    "drivers/iommu/intel/iommu.c", "drivers/iommu/intel-iommu.c", "kernel/printk/printk.c",
    "kernel/printk.c", "drivers/iommu/dma-iommu.c", "drivers/iommu/iommu.c", "lib/idr.c",
    "drivers/iommu/iova.c", "drivers/iommu/intel/irq_remapping.c",
    "drivers/iommu/intel_irq_remapping.c", "drivers/iommu/intel/dmar.c", "drivers/iommu/dmar.c",
    "drivers/iommu/intel/pasid.c", "drivers/iommu/intel-pasid.c", "drivers/pci/probe.c",
    "drivers/base/core.c", "drivers/iommu/liveupdate.c",
  ]
}

/// Collects what the readers cannot read, so that one obstacle does not end the report.
final class ProblemLog {
  /// A damaged dump may have more problems than anybody reads.
  private static let limit = 4096

  private var noted: [LinuxProblem] = []
  private var passedBy = 0

  /// Whether some of the kernel's structures of a kind could not be read.
  func lacks(_ isPart: (KernelStructure) -> Bool) -> Bool {
    noted.contains { isPart($0.structure) }
  }

  /// How many were met so far.
  var count: Int { noted.count + passedBy }

  /// The problems in the order they were met; the last one counts what there was no room for.
  var problems: [LinuxProblem] {
    guard passedBy > 0 else { return noted }
    return noted + [
      LinuxProblem(
        structure: .problems, message: "\(passedBy) more than the \(Self.limit) that are listed")
    ]
  }

  func note(
    _ error: KernelError, _ structure: KernelStructure, number: String? = nil,
    unit: String? = nil, device: DeviceName? = nil
  ) {
    guard noted.count < Self.limit else {
      passedBy += 1
      return
    }
    noted.append(
      LinuxProblem(
        structure: structure, number: number, unit: unit, device: device, address: error.address,
        absence: error.absence, cause: Cause(error.reason), message: error.description))
  }

  /// Takes the elements of a walk and notes its problem.
  func take<T>(
    _ walk: LinkWalk<T>, _ structure: KernelStructure, number: String? = nil,
    unit: String? = nil, device: DeviceName? = nil
  ) -> [T] {
    if let problem = walk.problem {
      note(problem, structure, number: number, unit: unit, device: device)
    }
    return walk.elements
  }

  /// The value of `body`, or `nil` with its error noted.
  func attempt<T>(
    _ structure: KernelStructure, number: String? = nil, unit: String? = nil,
    device: DeviceName? = nil, _ body: () throws(KernelError) -> T
  ) -> T? {
    do {
      return try body()
    } catch {
      note(error, structure, number: number, unit: unit, device: device)
      return nil
    }
  }
}

extension Cause {
  init(_ reason: KernelError.Reason) {
    self =
      switch reason {
      case .memory(let error): Cause(error.absence)
      case .unmapped: .unmapped
      case .nullPointer: .nullPointer
      case .noSymbol, .noStructure, .noMember, .shape, .types: .unknownShape
      case .malformed: .contradiction
      case .budget: .budget
      }
  }
}
