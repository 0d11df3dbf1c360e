// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Everything one dump says about its remapping units at the time of the crash.
///
/// Two witnesses speak here and are never patched into agreement: `contexts` and the mappings of
/// `domains` are what the hardware would have read from memory; `units`, `devices`, the domains'
/// types and allocators are what Linux believed. A plain value: reports, findings and differences
/// are views of it, and it decodes from the JSON report.
///
/// The property names and their order are those of the JSON document `iommuscope-report/1`.
public struct RemappingState: Hashable, Sendable {
  public var dump: DumpSummary
  /// By segment, then register base.
  public var units: [Unit]
  /// By unit, device, PASID.
  public var contexts: [Context]
  /// By unit, domain-id, table; unknown ones last.
  public var domains: [Domain]
  /// By device.
  public var devices: [Device]
  /// By segment and base.
  public var reservedRegions: [ReservedRegion]
  /// Root ports and devices that may cache translations, as firmware says; ATSR before SATC, in the
  /// kernel's order.
  public var translationCaches: [TranslationCacheScope]
  /// What the readers and the table walk met on their way and could not, or need not, resolve.
  public var observations: [Observation]
  /// What lies where in physical memory, as far as it matters to DMA; by address. Empty where the
  /// kernel did not tell.
  public var memoryMap: [MemoryRegion]
  /// What live updates hand over: what came in first; empty where nobody prepared one, and on kernels
  /// whose types know none.
  public var handovers: [Handover]
  /// Where devices of two groups may write the same memory, without pages that are known to be handed
  /// out in pieces; `nil` where that was not looked up, as in a state that was read from a report.
  public var sharedPages: SharedPages.Search?
  /// What the kernel log tells of faults and of errors of the units; `nil` where no log was read.
  public var faults: FaultSummary?
  /// How the units came up; `nil` where neither command line nor log was read.
  public var startUp: StartUp?
  /// Where the work behind this state ended early; empty where all was looked at.
  public var cuts: [Cut]
  /// Registers of the units, read beside the dump; `nil` where nobody gave any.
  public var registers: [UnitRegisters]?

  public init(
    dump: DumpSummary, units: [Unit] = [], contexts: [Context] = [], domains: [Domain] = [],
    devices: [Device] = [], reservedRegions: [ReservedRegion] = [],
    translationCaches: [TranslationCacheScope] = [],
    observations: [Observation] = [], memoryMap: [MemoryRegion] = [],
    handovers: [Handover] = [],
    faults: FaultSummary? = nil, startUp: StartUp? = nil, cuts: [Cut] = [],
    registers: [UnitRegisters]? = nil
  ) {
    self.dump = dump
    self.units = units
    self.contexts = contexts
    self.domains = domains
    self.devices = devices
    self.reservedRegions = reservedRegions
    self.translationCaches = translationCaches
    self.observations = observations
    self.memoryMap = memoryMap
    self.handovers = handovers
    self.faults = faults
    self.startUp = startUp
    self.cuts = cuts
    self.registers = registers
  }
}

extension Sequence<Observation> {
  /// Whether some of the kernel's structures of a kind could not be read, or contradict themselves.
  public func lack(_ isPart: (KernelStructure) -> Bool) -> Bool {
    contains { $0.isLack && $0.structure.kernelStructure.map(isPart) == true }
  }

  /// Whether a unit may be missing from the list, or is another driver's: what units there are is not
  /// known to the end.
  public var lackUnits: Bool {
    lack(\.isPartOfUnitList) || contains { $0.kind == .otherDriver }
  }
}

extension RemappingState {
  /// Whether nothing translates because there is no unit: the kernel's list of VT-d units was read and is
  /// empty, and no other driver has one. Requests of all devices go to memory as they are.
  public var hasNoUnit: Bool {
    units.isEmpty && dump.typesFrom != nil && !observations.lackUnits
  }

  /// Names of remapping units of other drivers, such as `ivhd0` of AMD-Vi, of which nothing more is known
  /// here; `nil` where no other driver has one, empty where one has some of which no name is known.
  public var otherUnits: [String]? {
    let others = observations.filter { $0.kind == .otherDriver }
    guard !others.isEmpty else { return nil }
    return others.compactMap { other in
      if case .kernel(.otherUnit, let name?) = other.structure { name } else { nil }
    }
  }

  /// Why it is not known what translates where another driver's units do, as a sentence without full
  /// stop; `nil` where there is none.
  public var reasonOfOtherUnits: String? {
    otherUnits.map { names in
      "another driver than VT-d's remaps DMA here"
        + (names.isEmpty ? "" : " (\(names.joined(separator: ", ")))")
        + ": what its units translate is not known"
    }
  }

  /// Whether every PCI device was found, so that a source id of none of them really is nobody's.
  public var devicesAreComplete: Bool { !observations.lack(\.isPartOfDevices) }

  /// Whether every region that firmware reserves was read, with its devices.
  public var firmwareRegionsAreComplete: Bool { !observations.lack(\.isPartOfFirmwareRegions) }

  /// Whether every table that may map something was read; where not, what is not mapped is not known.
  public var tablesAreComplete: Bool {
    (!units.isEmpty || hasNoUnit)
      && !units.contains { $0.rootTable == nil && $0.translationEnabled != false }
      && !observations.contains(where: \.hidesContexts)
      && domains.allSatisfy {
        ($0.walk?.unreadable ?? 0) == 0 && $0.walk?.budgetExhausted != true
      }
  }
}
