// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A DMA remapping hardware unit (DRHD) as the kernel's `struct intel_iommu` describes it.
public struct Unit: Hashable, Sendable {
  /// `dmar0`, `dmar1`, …
  public var name: String
  public var segment: UInt32
  public var registerBase: PhysicalAddress
  /// CAP register.
  public var capability: HexWord
  /// ECAP register.
  public var extendedCapability: HexWord
  /// How the unit reads its root table; without meaning where the mode is not known.
  public var tableMode: TableMode
  /// Global command shadow, bit 31; `nil` if the shadow could not be read.
  public var translationEnabled: Bool?
  /// Global command shadow, bit 25.
  public var interruptRemappingEnabled: Bool?
  /// Page-aligned, without mode bits; `nil` where the unit has none.
  public var rootTable: PhysicalAddress?
  public var rootFrom: RootOrigin?
  public var domainIDs: DomainIDs

  /// The `struct intel_iommu`; `nil` for a unit that was carved or given.
  public var kernelObject: KernelAddress?
  /// `intel_iommu.seq_id`.
  public var sequence: Int?
  /// The software shadow of the global command register, `intel_iommu.gcmd`.
  public var globalCommand: HexWord?
  /// Levels of the second-stage tables that the kernel chose for the unit (its AGAW plus 2).
  public var levels: Int?
  /// Whether Linux skips the unit (`dmar_drhd_unit.ignored`).
  public var ignored: Bool?
  /// Whether the unit owns every device of its segment that no other unit names (INCLUDE_PCI_ALL).
  public var includeAll: Bool?
  /// The devices of the unit's ACPI scope that Linux had found; an absent one is `nil`.
  public var scope: [DeviceName?]
  /// Whether this kernel took the unit over from another one with translation enabled.
  public var inherited: Bool?
  /// Requester ids whose context entry still is the previous kernel's (`copied_tables`).
  public var copiedContexts: [DeviceName]
  public var interruptRemapping: InterruptRemapping?
  public var invalidationQueue: InvalidationQueue?
  /// Bits of host physical addresses: the DMAR table's, as the kernel's log has it, else the
  /// processor's; `nil` if neither is known.
  public var hostAddressWidth: Int?

  public init(
    name: String, segment: UInt32, registerBase: PhysicalAddress, capability: HexWord,
    extendedCapability: HexWord, tableMode: TableMode, translationEnabled: Bool? = nil,
    interruptRemappingEnabled: Bool? = nil, rootTable: PhysicalAddress? = nil,
    rootFrom: RootOrigin? = nil, domainIDs: DomainIDs = DomainIDs(supported: 0, used: []),
    kernelObject: KernelAddress? = nil, sequence: Int? = nil, globalCommand: HexWord? = nil,
    levels: Int? = nil, ignored: Bool? = nil, includeAll: Bool? = nil, scope: [DeviceName?] = [],
    inherited: Bool? = nil, copiedContexts: [DeviceName] = [],
    interruptRemapping: InterruptRemapping? = nil, invalidationQueue: InvalidationQueue? = nil,
    hostAddressWidth: Int? = nil
  ) {
    self.name = name
    self.segment = segment
    self.registerBase = registerBase
    self.capability = capability
    self.extendedCapability = extendedCapability
    self.tableMode = tableMode
    self.translationEnabled = translationEnabled
    self.interruptRemappingEnabled = interruptRemappingEnabled
    self.rootTable = rootTable
    self.rootFrom = rootFrom
    self.domainIDs = domainIDs
    self.kernelObject = kernelObject
    self.sequence = sequence
    self.globalCommand = globalCommand
    self.levels = levels
    self.ignored = ignored
    self.includeAll = includeAll
    self.scope = scope
    self.inherited = inherited
    self.copiedContexts = copiedContexts
    self.interruptRemapping = interruptRemapping
    self.invalidationQueue = invalidationQueue
    self.hostAddressWidth = hostAddressWidth
  }
}

extension Unit {
  /// Whether CAP and ECAP are known; they are not for roots that were carved or given.
  public var isHardwareKnown: Bool {
    capability.rawValue != 0 || extendedCapability.rawValue != 0
  }
}

/// Where the root pointer comes from; no dump holds the RTADDR register.
public enum RootOrigin: String, Hashable, Sendable, CaseIterable {
  case kernel
  case carved
  case given
}

/// Domain-ids of one unit.
public struct DomainIDs: Hashable, Sendable {
  /// 2^(4 + 2·ND).
  public var supported: Int
  /// Ids that the kernel marks as taken, ascending; `nil` if unreadable.
  public var used: [UInt32]?
  /// Ids that the kernel gives to no domain although it does not mark them as taken, ascending.
  public var reserved: [UInt32] = []

  public init(supported: Int, used: [UInt32]?, reserved: [UInt32] = []) {
    self.supported = supported
    self.used = used
    self.reserved = reserved
  }
}

/// The interrupt-remapping table of a unit.
public struct InterruptRemapping: Hashable, Sendable {
  public var table: PhysicalAddress?
  /// Entries of the table, present or not.
  public var entries: Int
  /// Entries with the present bit.
  public var present: Int
  /// Present entries in posted format.
  public var posted: Int
  /// Entries that the kernel's bitmap marks as allocated; `nil` if unreadable.
  public var allocated: Int?
  /// Present entries that the bitmap does not mark; at most 64 indices.
  public var presentButFree: [Int]
  /// Pages of the table that the dump lacks.
  public var unreadablePages: Int

  public init(
    table: PhysicalAddress?, entries: Int, present: Int = 0, posted: Int = 0,
    allocated: Int? = nil, presentButFree: [Int] = [], unreadablePages: Int = 0
  ) {
    self.table = table
    self.entries = entries
    self.present = present
    self.posted = posted
    self.allocated = allocated
    self.presentButFree = presentButFree
    self.unreadablePages = unreadablePages
  }
}

/// The invalidation queue as software sees it; the head and tail registers are in no dump.
public struct InvalidationQueue: Hashable, Sendable {
  public var base: PhysicalAddress?
  /// Slots of the ring.
  public var entries: Int
  /// Bytes of a descriptor: 16, or 32 where ECAP.SMTS is set.
  public var descriptorSize: Int
  /// Next slot that software will fill.
  public var freeHead: Int
  /// Oldest slot not yet reclaimed.
  public var freeTail: Int
  /// Slots from `freeTail` to before `freeHead` whose status is still in use.
  public var pending: Int

  public init(
    base: PhysicalAddress?, entries: Int, descriptorSize: Int, freeHead: Int, freeTail: Int,
    pending: Int
  ) {
    self.base = base
    self.entries = entries
    self.descriptorSize = descriptorSize
    self.freeHead = freeHead
    self.freeTail = freeTail
    self.pending = pending
  }
}

extension Unit {
  /// Whether `tableMode` rests on anything: a root table, or what the unit can do.
  ///
  /// A unit that can do nothing at all is one whose registers' copies could not be read.
  public var isModeKnown: Bool {
    rootTable != nil || isHardwareKnown
  }

  /// What its root table leads to, for readers.
  public var tableWords: String {
    isModeKnown ? "\(tableMode.rawValue) tables" : "tables of an unknown mode"
  }
}
