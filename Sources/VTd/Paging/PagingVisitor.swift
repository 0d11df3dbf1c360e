// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What a visitor wants of a table or of a pointer to one.
public enum WalkDecision: Hashable, Sendable {
  /// Go on downwards.
  case enter
  /// Pass by, and go on beside it.
  case skip
  /// End the walk.
  case stop
}

/// Whoever wants something of page tables: report, owners, copy and verification are visitors.
///
/// `PageTableWalk.run(_:)` calls the methods in the order of the entries, depth first: `enter` a
/// table, then for each of its present entries `leaf` (or `leaves` for several), or `branch` followed by the table below, or
/// `obstacle`, and `leave`. In the canonical order of first-stage addresses too, I/O virtual
/// addresses ascend.
///
/// All methods have a default that does nothing and goes on.
public protocol PagingVisitor {
  /// A table page was read and its entries are next.
  mutating func enter(_ table: PagingTable) -> WalkDecision
  /// All entries of a table that was entered have been visited.
  mutating func leave(_ table: PagingTable)
  /// A present entry that points to a table.
  mutating func branch(_ branch: PagingBranch) -> WalkDecision
  /// A page that a device can reach.
  mutating func leaf(_ leaf: PagingLeaf)
  /// Pages of neighbouring entries of one level 1 table, which follow each other in both address
  /// spaces with the same rights; by default `leaf` is called for each.
  ///
  /// - Parameters:
  ///   - first: the first of them; each next entry's word is 4096 more.
  ///   - count: at least 2.
  mutating func leaves(_ first: PagingLeaf, count: Int)
  /// Whether `pages` is asked before the entries of a level 1 table are visited.
  static var takesWholeTables: Bool { get }
  /// All that a level 1 table without reserved bits maps, in place of `leaf` and `leaves`.
  ///
  /// - Returns: whether that will do; if not, the entries are visited.
  mutating func pages(_ table: PagingTable, _ pages: TablePages) -> Bool
  /// Something that the walk cannot or will not go through.
  mutating func obstacle(_ obstacle: PagingObstacle)
  /// The walk is over, whichever way; called once, last.
  mutating func finish(_ statistics: WalkStatistics)
}

extension PagingVisitor {
  @inlinable public mutating func enter(_ table: PagingTable) -> WalkDecision { .enter }
  @inlinable public mutating func leave(_ table: PagingTable) {}
  @inlinable public mutating func branch(_ branch: PagingBranch) -> WalkDecision { .enter }
  @inlinable public mutating func leaf(_ leaf: PagingLeaf) {}
  @inlinable
  public mutating func leaves(_ first: PagingLeaf, count: Int) {
    var next = first
    for _ in 0..<count {
      leaf(next)
      next.iova = IOVirtualAddress(next.iova.rawValue &+ next.length)
      next.physical = PhysicalAddress(next.physical.rawValue &+ next.length)
      next.entry = PhysicalAddress(next.entry.rawValue &+ 8)
      next.word &+= next.length
    }
  }
  @inlinable public static var takesWholeTables: Bool { false }
  @inlinable
  public mutating func pages(_ table: PagingTable, _ pages: TablePages) -> Bool { false }
  @inlinable public mutating func obstacle(_ obstacle: PagingObstacle) {}
  @inlinable public mutating func finish(_ statistics: WalkStatistics) {}
}

/// A table page on the walk's way.
public struct PagingTable: Sendable {
  /// Host-physical, page-aligned.
  public var address: PhysicalAddress
  /// 1 for tables whose entries are 4 KiB pages.
  public var level: Int
  /// First I/O virtual address that the table stands for.
  public var iova: IOVirtualAddress
  /// The entry that led here; `nil` for the top table.
  public var entry: PhysicalAddress?
  /// Rights along the path down to this table.
  public var access: PagingAccess
  public var page: Page
  /// The page was a hole of an ELF dump and is taken for zeros.
  public var isAssumedZero: Bool
  /// The walk has entered the page before, from another place.
  public var isRevisit: Bool

  @inlinable
  init(
    address: PhysicalAddress, level: Int, iova: IOVirtualAddress, entry: PhysicalAddress?,
    access: PagingAccess, page: Page, isAssumedZero: Bool, isRevisit: Bool
  ) {
    self.address = address
    self.level = level
    self.iova = iova
    self.entry = entry
    self.access = access
    self.page = page
    self.isAssumedZero = isAssumedZero
    self.isRevisit = isRevisit
  }
}

/// A present entry that points to a table.
public struct PagingBranch: Hashable, Sendable {
  /// Of the table that holds the entry: 2 to 5.
  public var level: Int
  /// First I/O virtual address that the entry stands for.
  public var iova: IOVirtualAddress
  /// Host-physical address of the entry.
  public var entry: PhysicalAddress
  public var word: UInt64
  /// Rights along the path, this entry included; may be empty.
  public var access: PagingAccess

  @inlinable
  init(
    level: Int, iova: IOVirtualAddress, entry: PhysicalAddress, word: UInt64, access: PagingAccess
  ) {
    self.level = level
    self.iova = iova
    self.entry = entry
    self.word = word
    self.access = access
  }

  /// Where the entry points: host-physical, or guest-physical in nested translation.
  @inlinable public var table: PhysicalAddress {
    PhysicalAddress(word & PagingRules.addressMask)
  }
}

/// A page that a device can reach, or a piece of one in nested translation.
public struct PagingLeaf: Hashable, Sendable {
  public var iova: IOVirtualAddress
  /// Host-physical.
  public var physical: PhysicalAddress
  /// Bytes: the page size of `level`; less for a piece.
  public var length: UInt64
  /// Rights along the path of both stages; never empty.
  public var access: PagingAccess
  /// Of the table that holds the entry: 1 for 4 KiB, 2 for 2 MiB, 3 for 1 GiB.
  public var level: Int
  /// Host-physical address of the entry.
  public var entry: PhysicalAddress
  public var word: UInt64
  /// Nested: number of this piece among those of one entry that are mapped, from 0; otherwise 0.
  public var piece: Int

  @inlinable
  init(
    iova: IOVirtualAddress, physical: PhysicalAddress, length: UInt64, access: PagingAccess,
    level: Int, entry: PhysicalAddress, word: UInt64, piece: Int
  ) {
    self.iova = iova
    self.physical = physical
    self.length = length
    self.access = access
    self.level = level
    self.entry = entry
    self.word = word
    self.piece = piece
  }
}

/// A place where the walk ended before it came to a page.
public struct PagingObstacle: Hashable, Sendable {
  public var kind: Kind
  /// Of the table that holds `entry`; for obstacles of a table, that table's own.
  public var level: Int
  /// First I/O virtual address that is affected.
  public var iova: IOVirtualAddress
  /// The entry at fault, or the one that led to the table at fault; `nil` for the top table.
  public var entry: PhysicalAddress?
  /// The word in `entry`; 0 for the top table.
  public var word: UInt64

  public enum Kind: Hashable, Sendable {
    /// The table is not in the dump: its part of the address space is unknown, not empty.
    case unreadable(MemoryError)
    /// The table is a hole of an ELF dump; it was taken for zeros.
    case assumedZero
    /// The table lies on its own path; it was not entered.
    case cycle
    /// The table was seen before at the given level. It was entered again, budget permitting.
    case alias(firstLevel: Int)
    /// A present entry has reserved bits, these; hardware faults, so nothing below is mapped.
    case reservedBits(UInt64)
    /// A large page whose address is not a multiple of its size, with the bits in the way.
    case misalignedSuperpage(UInt64)
    /// An entry whose address has these bits above the host address width.
    case beyondHostAddressWidth(UInt64)
    /// Nested: the second stage does not let the guest-physical address through.
    case secondStage(TranslationEnding, guest: UInt64)
    /// A part of the budget is spent; reported once per part, with the first place it hit.
    case budgetExhausted(WalkBudget.Part)
    /// Tables of so many levels do not exist.
    case unsupportedLevels(Int)

    public var category: Category {
      switch self {
      case .unreadable: .unreadable
      case .assumedZero: .assumedZero
      case .cycle: .cycle
      case .alias: .alias
      case .reservedBits: .reservedBits
      case .misalignedSuperpage: .misalignedSuperpage
      case .beyondHostAddressWidth: .beyondHostAddressWidth
      case .secondStage: .secondStage
      case .budgetExhausted: .budgetExhausted
      case .unsupportedLevels: .unsupportedLevels
      }
    }
  }

  /// The kinds without their details, to count by.
  public enum Category: String, Hashable, Sendable, CaseIterable {
    case unreadable
    case assumedZero = "assumed-zero"
    case cycle
    case alias
    case reservedBits = "reserved-bits"
    case misalignedSuperpage = "misaligned-superpage"
    case beyondHostAddressWidth = "beyond-host-address-width"
    case secondStage = "second-stage"
    case budgetExhausted = "budget-exhausted"
    case unsupportedLevels = "unsupported-levels"
  }

  public init(
    _ kind: Kind, level: Int, iova: IOVirtualAddress, entry: PhysicalAddress?, word: UInt64
  ) {
    self.kind = kind
    self.level = level
    self.iova = iova
    self.entry = entry
    self.word = word
  }
}
