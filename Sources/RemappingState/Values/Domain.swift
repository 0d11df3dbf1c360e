// SPDX-License-Identifier: Apache-2.0

public import Memory

/// An address space: keyed by unit, domain-id and table.
public struct Domain: Hashable, Sendable {
  /// `nil` for a kernel domain with no id on any unit.
  public var unit: String?
  public var domainID: UInt32?
  /// The kernel's type; `unknown` without a kernel object.
  public var type: DomainType
  /// The `struct dmar_domain`, or the static `struct iommu_domain` of identity and blocked.
  public var kernelObject: KernelAddress?
  public var stage: Stage?
  public var table: PhysicalAddress?
  public var levels: Int?
  /// Source ids whose contexts reach the domain, each once.
  public var devices: [DeviceName]
  /// A present context reaches the domain and its tables map something beyond the fixed regions.
  public var inFlight: Bool
  /// `nil` for pass-through and blocked.
  public var mapping: Mapping?
  /// `nil` where the domain has no allocator.
  public var iova: IOVASpace?

  /// What the walk of `table` met; `nil` where nothing was walked.
  public var walk: WalkSummary?
  /// How often the kernel has attached the domain to the unit; `nil` where it keeps no count.
  public var references: Int?

  public init(
    unit: String?, domainID: UInt32?, type: DomainType = .unknown,
    kernelObject: KernelAddress? = nil, stage: Stage? = nil, table: PhysicalAddress? = nil,
    levels: Int? = nil, devices: [DeviceName] = [], inFlight: Bool = false,
    mapping: Mapping? = nil, iova: IOVASpace? = nil, walk: WalkSummary? = nil,
    references: Int? = nil
  ) {
    self.unit = unit
    self.domainID = domainID
    self.type = type
    self.kernelObject = kernelObject
    self.stage = stage
    self.table = table
    self.levels = levels
    self.devices = devices
    self.inFlight = inFlight
    self.mapping = mapping
    self.iova = iova
    self.walk = walk
    self.references = references
  }
}

/// `iommu_domain.type` by its meaning.
public enum DomainType: String, Hashable, Sendable, CaseIterable {
  case dma
  case dmaFQ = "dma-fq"
  case identity
  case unmanaged
  case blocked
  case sva
  case nested
  case unknown
}

/// What a domain's tables map.
public struct Mapping: Hashable, Sendable {
  /// Present entries that map a page of any size.
  public var leaves: Int
  /// Sum over the runs.
  public var bytes: UInt64
  /// By IOVA; disjoint.
  public var runs: [Run]

  public init(leaves: Int, bytes: UInt64, runs: [Run]) {
    self.leaves = leaves
    self.bytes = bytes
    self.runs = runs
  }
}

/// Leaves contiguous in IOVA and in physical address, with the same access.
///
/// There may be millions of them, so one takes three words.
public struct Run: Hashable, Sendable {
  public var iova: IOVirtualAddress
  public var physical: PhysicalAddress
  /// The length, and in the lowest two bits what entries have there: 1 to read, 2 to write.
  @usableFromInline var lengthAndRights: UInt64

  /// No table maps as much as this; what a report from elsewhere says beyond it is all there is.
  @usableFromInline static let longest: UInt64 = .max >> 2

  @inlinable
  public init(iova: IOVirtualAddress, length: HexWord, physical: PhysicalAddress, access: Access) {
    self.iova = iova
    self.physical = physical
    lengthAndRights = min(length.rawValue, Self.longest) << 2 | Self.rights(access)
  }

  /// Bytes; from 2^62 - 1 on all ones.
  @inlinable public var length: HexWord {
    get {
      let length = lengthAndRights >> 2
      return HexWord(length == Self.longest ? .max : length)
    }
    set {
      lengthAndRights = min(newValue.rawValue, Self.longest) << 2 | lengthAndRights & 3
    }
  }

  @inlinable public var access: Access {
    get { lengthAndRights & 3 == 3 ? .readWrite : lengthAndRights & 3 == 2 ? .write : .read }
    set { lengthAndRights = lengthAndRights & ~3 | Self.rights(newValue) }
  }

  @inlinable
  static func rights(_ access: Access) -> UInt64 {
    switch access {
    case .read: 1
    case .write: 2
    case .readWrite: 3
    }
  }

  /// Both runs in one, if the other goes on where this one ends, with the same access.
  @inlinable
  public func joined(_ next: Run) -> Run? {
    guard iova.rawValue &+ length.rawValue == next.iova.rawValue,
      physical.rawValue &+ length.rawValue == next.physical.rawValue, access == next.access
    else { return nil }
    return Run(
      iova: iova, length: HexWord(length.rawValue &+ next.length.rawValue), physical: physical,
      access: access)
  }
}

/// What a device may do; the AND of the rights along the path.
public enum Access: String, Hashable, Sendable, CaseIterable {
  case read = "r"
  case write = "w"
  case readWrite = "rw"
}

/// How the table walk of one domain went.
public struct WalkSummary: Hashable, Sendable {
  /// Table pages read, each counted once.
  public var tables: Int
  /// Tables that could not be read; their part of the address space is unknown, not empty.
  public var unreadable: Int
  /// Tables that were an ELF hole and were taken for empty.
  public var assumedEmpty: Int
  /// Tables met again on their own path; the walk did not enter them.
  public var cycles: Int
  /// Tables reached over more than one path.
  public var aliases: Int
  /// Present entries with a reserved bit set.
  public var reservedBits: Int
  /// Mapped bytes whose target is not memory that the dump describes: device registers, firmware
  /// regions, or nothing at all.
  public var bytesOutsideMemory: UInt64
  /// Whether the walk ended because its page budget was spent; the mapping is then incomplete.
  public var budgetExhausted: Bool

  public init(
    tables: Int = 0, unreadable: Int = 0, assumedEmpty: Int = 0, cycles: Int = 0,
    aliases: Int = 0, reservedBits: Int = 0, bytesOutsideMemory: UInt64 = 0,
    budgetExhausted: Bool = false
  ) {
    self.tables = tables
    self.unreadable = unreadable
    self.assumedEmpty = assumedEmpty
    self.cycles = cycles
    self.aliases = aliases
    self.reservedBits = reservedBits
    self.bytesOutsideMemory = bytesOutsideMemory
    self.budgetExhausted = budgetExhausted
  }
}

/// The kernel's IOVA allocator of a domain.
public struct IOVASpace: Hashable, Sendable {
  /// Every node of the allocator's tree but its anchor, by address.
  public var allocated: [IOVARange]
  /// Mapped ranges that lie in no node, by address; `nil` where some nodes could not be read.
  public var unallocated: [AddressRange]?
  /// States that could not be told everywhere, because not all that makes them could be read: any range
  /// may be in one of them, whatever its own state says.
  public var uncertain: [IOVARange.State]

  public init(
    allocated: [IOVARange], unallocated: [AddressRange]?, uncertain: [IOVARange.State] = []
  ) {
    self.allocated = allocated
    self.unallocated = unallocated
    self.uncertain = uncertain
  }
}

/// A node of the IOVA allocator.
public struct IOVARange: Hashable, Sendable {
  public var start: IOVirtualAddress
  /// Inclusive.
  public var end: IOVirtualAddress
  public var state: State

  public enum State: String, Hashable, Sendable, CaseIterable {
    /// At least one leaf maps something inside.
    case live
    /// No leaf inside.
    case unmapped
    /// Freed into a per-CPU cache.
    case cached
    /// Unmapped and waiting in a flush queue: the IOTLB may still hold it.
    case pending
    /// Still in a flush queue, already invalidated.
    case flushed
    /// A host-bridge window, the MSI window or a reserved region.
    case reserved
  }

  public init(start: IOVirtualAddress, end: IOVirtualAddress, state: State) {
    self.start = start
    self.end = end
    self.state = state
  }
}

/// A range of I/O virtual addresses; `end` is inclusive.
public struct AddressRange: Hashable, Sendable {
  public var start: IOVirtualAddress
  public var end: IOVirtualAddress

  public init(start: IOVirtualAddress, end: IOVirtualAddress) {
    self.start = start
    self.end = end
  }
}
