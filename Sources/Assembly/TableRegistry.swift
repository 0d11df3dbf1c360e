// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
internal import Memory
internal import RemappingState
internal import VTd

/// Which pages of memory are tables of which domain, over all walks of one state.
///
/// The kernel never shares a table page between domains; a domain's own tables may serve several
/// units, and older drivers let a unit with fewer levels begin below the top.
struct TableRegistry {
  /// A domain with the top of its tables.
  struct Owner: Hashable {
    var domain: TableOwner
    var root: PhysicalAddress

    func isSame(as other: Owner) -> Bool {
      if let object = domain.kernelObject, object == other.domain.kernelObject { return true }
      return root == other.root
    }
  }

  private struct Entry {
    var owner: Int
    var level: UInt8
  }

  private struct Pair: Hashable {
    var first: Int
    var second: Int
  }

  private struct Sharing {
    var count: Int
    var address: PhysicalAddress
    var levels: (Int, Int)
  }

  private var owners: [Owner] = []
  private var entries: [UInt64: Entry] = [:]
  private var sharings: [Pair: Sharing] = [:]
  /// Pages that are no page tables but serve the unit all the same, with what they are.
  private var others: [UInt64: TablePage] = [:]

  /// Takes the tables of one walk.
  mutating func add(_ tables: [(frame: UInt64, level: UInt8)], of owner: Owner) {
    let index = owners.count
    owners.append(owner)
    for table in tables {
      guard let known = entries[table.frame] else {
        entries[table.frame] = Entry(owner: index, level: table.level)
        continue
      }
      guard !owners[known.owner].isSame(as: owner) else { continue }
      let pair = Pair(first: known.owner, second: index)
      if sharings[pair] != nil {
        sharings[pair]?.count += 1
      } else {
        sharings[pair] = Sharing(
          count: 1, address: PhysicalAddress(table.frame << 12),
          levels: (Int(known.level), Int(table.level)))
      }
    }
  }

  mutating func add(_ address: PhysicalAddress?, pages: Int = 1, _ what: TablePage) {
    guard let address else { return }
    for page in 0..<UInt64(clamping: pages) where others[address.frame &+ page] == nil {
      others[address.frame &+ page] = what
    }
  }

  /// Every page that is a table, ascending.
  var frames: [UInt64] { Set(entries.keys).union(others.keys).sorted() }

  /// What the page at `frame`, one of `frames`, is.
  func page(_ frame: UInt64) -> TablePage? {
    if let entry = entries[frame] {
      return .pageTable(level: Int(entry.level), of: owners[entry.owner].domain)
    }
    return others[frame]
  }

  /// One observation for each pair of domains that share tables.
  var observations: [Observation] {
    sharings.sorted {
      ($0.key.second, $0.key.first) < ($1.key.second, $1.key.first)
    }.prefix(64).map { pair, sharing in
      let owner = owners[pair.second]
      return Observation(
        .sharedTable, unit: owner.domain.unit, domainID: owner.domain.domainID,
        structure: .sharedPageTable(level: sharing.levels.1),
        address: HexWord(sharing.address.rawValue),
        detail: "it is also a table of level \(sharing.levels.0) of "
          + owners[pair.first].domain.description, count: sharing.count)
    }
  }
}

/// Gathers runs, and the table pages on the way.
struct TableCollector: PagingVisitor {
  private(set) var runs: RunCollector
  private(set) var tables: [(frame: UInt64, level: UInt8)] = []

  init(runLimit: Int = RunCollector.defaultRunLimit) {
    runs = RunCollector(runLimit: runLimit)
  }

  mutating func enter(_ table: PagingTable) -> WalkDecision {
    if !table.isRevisit {
      tables.append((table.address.frame, UInt8(truncatingIfNeeded: table.level)))
    }
    return runs.enter(table)
  }

  mutating func leaf(_ leaf: PagingLeaf) { runs.leaf(leaf) }
  mutating func obstacle(_ obstacle: PagingObstacle) { runs.obstacle(obstacle) }
  mutating func finish(_ statistics: WalkStatistics) { runs.finish(statistics) }
}
