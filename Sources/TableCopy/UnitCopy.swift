// SPDX-License-Identifier: Apache-2.0

public import Memory
internal import RemappingState
public import VTd

extension TranslationTables {
  /// Every context, as the hardware would read them: what a copy starts from.
  public func read(_ budget: CopyBudget) -> TranslationTablesReading {
    var tables = self
    tables.work = budget.work
    let reading = tables.read(budget: budget.contexts)
    if let work = budget.work {
      if let part = reading.exhausted { work.cut(part.work, "the reading of contexts for a copy") }
      // Nobody keeps the contexts for longer than a policy takes.
      work.release(contexts: reading)
    }
    return reading
  }
}

/// A word of reconstructed tables.
public enum CopiedWord: Hashable, Sendable {
  case exact(UInt64)
  /// A pointer into the arena: the word minus the arena's base, attribute bits included.
  case arena(UInt64)

  /// The word as it stands in memory.
  public func value(base: PhysicalAddress) -> UInt64 {
    switch self {
    case .exact(let word): word
    case .arena(let offset): offset &+ base.rawValue
    }
  }

  static func pointer(
    _ word: UInt64, to table: PhysicalAddress, mask: UInt64, base: PhysicalAddress
  ) -> (word: UInt64, copied: CopiedWord) {
    let word = word & ~mask | table.rawValue
    return (word, .arena(word &- base.rawValue))
  }
}

/// What became of one unit's root, context and PASID tables.
public struct UnitCopy: Sendable {
  /// A root entry, or a half of one, that is not zero in the old or the new table.
  public struct RootRow: Hashable, Sendable {
    public var bus: UInt8
    /// `nil` in legacy mode; otherwise 0 for the lower half and 1 for the upper one.
    public var half: Int?
    public var old: UInt64
    public var new: CopiedWord
  }

  /// A context entry that is present in the old or the new table.
  public struct ContextRow: Hashable, Sendable {
    public var bus: UInt8
    public var devfn: UInt8
    /// 2 words in legacy mode, otherwise 4; `nil` where it is not present.
    public var old: [UInt64]?
    public var new: [CopiedWord]?
  }

  /// A PASID entry that is present in the old or the new table.
  public struct PASIDRow: Hashable, Sendable {
    public var bus: UInt8
    public var devfn: UInt8
    public var pasid: UInt32
    public var old: [UInt64]?
    public var new: [CopiedWord]?
  }

  /// An address space that a context leads to, before and after.
  public struct Space: Hashable, Sendable {
    public var bus: UInt8
    public var devfn: UInt8
    public var pasid: UInt32?
    public var old: AddressSpace
    /// `nil` where nothing could be copied.
    public var new: AddressSpace?
  }

  /// The new root table; `nil` where none was made.
  public var rootTable: PhysicalAddress?
  public var roots: [RootRow] = []
  public var contexts: [ContextRow] = []
  public var pasids: [PASIDRow] = []
  public var spaces: [Space] = []
  public var problems = CopyProblems()
  /// Pages that this unit's copy added to the arena, by use.
  public var pages: [TableKind: Int] = [:]
  /// Source ids whose entry was copied: what `copied_tables` or the marker bit says later.
  public var copied: [UInt16] = []
  /// Domain-ids of the copied entries as the copying code reads them, ascending.
  ///
  /// Ids that the unit does not have are missing.
  public var domainIDs: [UInt32] = []
  /// Buses whose tables could not be copied.
  public var failedBuses: [UInt8] = []
  /// Buses that have an upper context table only.
  public var upperOnlyBuses: [UInt8] = []
  /// The new tables are the old ones, where they stand; `rootTable` is the old root.
  public var isInPlace = false

  public init() {}

  public var pageCount: Int { pages.values.reduce(0, +) }
}
