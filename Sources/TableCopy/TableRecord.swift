// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import VTd

/// What one walk met that decides its translations: tables of 4 KiB pages as they are, and a digest
/// of all other leaf words with their addresses.
///
/// Of nested spaces, whose pages come in pieces, every leaf word.
struct TableRecord: PagingVisitor {
  /// A table of 4 KiB pages.
  struct Table {
    var iova: UInt64
    /// Rights along the path down to it.
    var access: PagingAccess
    var page: Page
  }

  private let isNested: Bool
  private(set) var tables: [Table] = []
  private(set) var digest = LeafDigest()

  init(_ space: AddressSpace) {
    isNested = space.nesting != nil
  }

  mutating func enter(_ table: PagingTable) -> WalkDecision {
    guard table.level == 1, !isNested else { return .enter }
    tables.append(Table(iova: table.iova.rawValue, access: table.access, page: table.page))
    return .skip
  }

  mutating func leaf(_ leaf: PagingLeaf) { digest.add(leaf, count: 1) }

  mutating func leaves(_ first: PagingLeaf, count: Int) { digest.add(first, count: count) }
}

/// A walk beside a record of another one: whether both translate every address alike, and how much
/// this one maps.
struct RecordComparer: PagingVisitor {
  static let takesWholeTables = true
  private let record: TableRecord
  private let isNested: Bool
  /// What the space maps, where that need not be counted.
  private let known: WalkedSpaces.Space?
  /// Tables of the record that were met.
  private var met = 0
  private var differs = false
  private var digest = LeafDigest()

  private var counted = WalkedSpaces.Space(leaves: 0, runs: 0, bytes: 0)
  /// Tables that could not be read, once for each way to them.
  private(set) var unreadable = 0
  /// The last page, as the run that it ends.
  private var last = RunMerger()

  init(_ record: TableRecord, _ space: AddressSpace, known: WalkedSpaces.Space?) {
    self.record = record
    isNested = space.nesting != nil
    self.known = known
  }

  /// What the space maps; told after the walk.
  var mapped: WalkedSpaces.Space { known ?? counted }

  /// Whether all that was met is what the record has; told after the walk.
  var isSame: Bool { !differs && met == record.tables.count && digest == record.digest }

  mutating func enter(_ table: PagingTable) -> WalkDecision {
    guard table.level == 1, !isNested else { return .enter }
    guard met < record.tables.count else {
      differs = true
      return .stop
    }
    let other = record.tables[met]
    met += 1
    guard other.iova == table.iova.rawValue, other.access == table.access,
      other.page.hasSameBytes(as: table.page)
    else {
      differs = true
      return .stop
    }
    return known == nil ? .enter : .skip
  }

  mutating func pages(_ table: PagingTable, _ pages: TablePages) -> Bool {
    guard let (first, last) = pages.ends else { return true }
    counted.leaves += pages.leaves
    counted.bytes &+= UInt64(truncatingIfNeeded: pages.leaves) &* 4096
    counted.runs += pages.runs - (self.last.isContinued(by: first) ? 1 : 0)
    self.last = RunMerger(last)
    return true
  }

  mutating func leaf(_ leaf: PagingLeaf) {
    if leaf.piece == 0 { counted.leaves += 1 }
    add(leaf, count: 1)
  }

  mutating func leaves(_ first: PagingLeaf, count: Int) {
    counted.leaves += count
    add(first, count: count)
  }

  private mutating func add(_ leaf: PagingLeaf, count: Int) {
    // Words of whole tables were compared with them.
    if leaf.level > 1 || isNested { digest.add(leaf, count: count) }
    let length = leaf.length &* UInt64(truncatingIfNeeded: count)
    counted.bytes &+= length
    let run = MappedRun(
      iova: leaf.iova, length: length, physical: leaf.physical, access: leaf.access)
    if !last.isContinued(by: run) { counted.runs += 1 }
    last = RunMerger(run)
  }

  mutating func obstacle(_ obstacle: PagingObstacle) {
    if obstacle.kind.category == .unreadable { unreadable += 1 }
  }
}

/// A digest of leaf words with their addresses, in the order of the walk.
struct LeafDigest: Hashable {
  private var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ leaf: PagingLeaf, count: Int) {
    mix(leaf.iova.rawValue ^ UInt64(truncatingIfNeeded: leaf.level))
    mix(leaf.word)
    mix(leaf.length)
    mix(UInt64(truncatingIfNeeded: count))
  }

  private mutating func mix(_ word: UInt64) {
    value = (value ^ word) &* 0x9e37_79b9_7f4a_7c15
    value ^= value >> 29
  }
}
