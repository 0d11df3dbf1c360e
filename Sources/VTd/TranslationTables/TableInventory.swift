// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// Which pages of memory serve remapping units, and as what.
///
/// The one answer for everybody who asks: an audit of what is mapped, the owners of a page, the crash
/// kernel's view of old tables. Page tables come from walks, everything else from addresses.
///
/// The kernel never shares a table page between domains; a domain's own tables may serve several
/// units, and older drivers let a unit with fewer levels begin below the top.
public struct TableInventory: Sendable {
  /// A domain with the top of its tables.
  public struct Owner: Hashable, Sendable {
    public var domain: TableOwner
    public var root: PhysicalAddress

    public init(domain: TableOwner, root: PhysicalAddress) {
      self.domain = domain
      self.root = root
    }

    func isSame(as other: Owner) -> Bool {
      if let object = domain.kernelObject, object == other.domain.kernelObject { return true }
      return root == other.root
    }
  }

  /// A table page on a walk's way.
  public struct PageTable: Hashable, Sendable {
    public var frame: UInt64
    /// 1 for tables whose entries are 4 KiB pages.
    public var level: UInt8

    @inlinable
    public init(_ table: PagingTable) {
      frame = table.address.frame
      level = UInt8(truncatingIfNeeded: table.level)
    }
  }

  /// Table pages that two domains share.
  public struct Sharing: Hashable, Sendable {
    /// Whose table the first of them was found to be first.
    public var first: TableOwner
    public var second: TableOwner
    public var count: Int
    /// The first of them.
    public var address: PhysicalAddress
    /// Its level for either.
    public var levels: (first: Int, second: Int) { (firstLevel, secondLevel) }

    var firstLevel: Int
    var secondLevel: Int
  }

  private struct Entry {
    var owner: Int
    var level: UInt8
  }

  private struct Pair: Hashable {
    var first: Int
    var second: Int
  }

  private var owners: [Owner] = []
  private var entries: [UInt64: Entry] = [:]
  private var shared: [Pair: Sharing] = [:]
  /// Pages that are no page tables but serve the unit all the same, with what they are.
  private var others: [UInt64: TablePage] = [:]

  public init() {}

  /// Takes the tables of one walk.
  public mutating func add(_ tables: [PageTable], of owner: Owner) {
    let index = owners.count
    owners.append(owner)
    for table in tables {
      guard let known = entries[table.frame] else {
        entries[table.frame] = Entry(owner: index, level: table.level)
        continue
      }
      guard !owners[known.owner].isSame(as: owner) else { continue }
      shared[
        Pair(first: known.owner, second: index),
        default: Sharing(
          first: owners[known.owner].domain, second: owner.domain, count: 0,
          address: PhysicalAddress(table.frame << 12), firstLevel: Int(known.level),
          secondLevel: Int(table.level))
      ].count += 1
    }
  }

  /// Takes pages that stand one after another; those that are known already stay what they are.
  public mutating func add(_ address: PhysicalAddress?, pages: Int = 1, _ what: TablePage) {
    guard let address else { return }
    for page in 0..<UInt64(clamping: pages) where others[address.frame &+ page] == nil {
      others[address.frame &+ page] = what
    }
  }

  /// Every page that is a table, ascending.
  public var frames: [UInt64] {
    (Array(entries.keys) + others.keys.filter { entries[$0] == nil }).sorted()
  }

  /// What the page at `frame` is; `nil` for one that is not of `frames`.
  public func page(_ frame: UInt64) -> TablePage? {
    if let entry = entries[frame] {
      return .pageTable(level: Int(entry.level), of: owners[entry.owner].domain)
    }
    return others[frame]
  }

  /// Each pair of domains that share tables, in the order in which they were found.
  public var sharings: [Sharing] {
    shared.sorted { ($0.key.second, $0.key.first) < ($1.key.second, $1.key.first) }.map(\.value)
  }
}

extension TableInventory {
  /// Takes the root, context and PASID tables of a unit as they were read.
  public mutating func add(
    _ reading: TranslationTablesReading, below root: PhysicalAddress, _ mode: TableMode,
    of unit: String
  ) {
    add(root, .table(.rootTable, unit: unit))
    for root in reading.roots { add(root.contextTable, .table(.contextTable, unit: unit)) }
    for context in reading.contexts where mode == .scalable {
      let entry = ScalableContextEntry(words: context.words)
      add(
        entry.pasidDirectory, pages: max(1, entry.pasidDirectoryEntryCount / Page.wordCount),
        .table(.pasidDirectory, unit: unit))
    }
    for entry in reading.directoryEntries {
      add(entry.directory, .table(.pasidDirectory, unit: unit))
      add(entry.entry, .table(.pasidDirectory, unit: unit))
      add(PhysicalAddress(entry.word & ~0xfff), .table(.pasidTable, unit: unit))
    }
  }

  /// Walks an address space for the pages of its tables alone.
  @discardableResult
  public mutating func add(_ walk: PageTableWalk, of owner: TableOwner) -> WalkStatistics {
    var visitor = PageVisitor()
    let statistics = walk.run(&visitor)
    add(visitor.pages, of: Owner(domain: owner, root: walk.space.root.table))
    return statistics
  }

  private struct PageVisitor: PagingVisitor {
    var pages: [PageTable] = []

    mutating func enter(_ table: PagingTable) -> WalkDecision {
      if !table.isRevisit { pages.append(PageTable(table)) }
      // What 4 KiB tables map is of no interest here.
      return table.level == 1 || table.isRevisit ? .skip : .enter
    }
  }
}
