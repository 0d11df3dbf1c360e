// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import VTd

/// Takes a walk apart: visits the tables down to level 3, and lists what they lead to.
struct UpperTables: PagingVisitor {
  enum Piece {
    /// What was found in upper tables, between two parts.
    case found(Gathered)
    /// A table of level 2 that was passed by.
    case part(WalkPart)
  }

  /// In the order of the walk.
  private(set) var pieces: [Piece] = []
  private var collector: MappingCollector
  private let memory: AddressRanges
  private let runLimit: Int
  private var path: [UInt64] = []
  private var partCount = 0

  /// Tables of level 2 in one walk; 2^14 stand for 16 TiB. With more it ends: what few pages can stand
  /// for any number of is not listed.
  static let partLimit = 1 << 14

  init(memory: AddressRanges, runLimit: Int) {
    self.memory = memory
    self.runLimit = runLimit
    collector = MappingCollector(memory: memory, runLimit: runLimit)
  }

  var parts: [WalkPart] {
    pieces.compactMap { if case .part(let part) = $0 { part } else { nil } }
  }

  mutating func enter(_ table: PagingTable) -> WalkDecision {
    path.append(table.address.frame)
    return collector.enter(table)
  }

  mutating func leave(_ table: PagingTable) { path.removeLast() }

  mutating func branch(_ branch: PagingBranch) -> WalkDecision {
    guard branch.level == 3 else { return .enter }
    guard partCount < Self.partLimit else { return .stop }
    partCount += 1
    close()
    pieces.append(.part(WalkPart(branch, path: path)))
    return .skip
  }

  mutating func leaf(_ leaf: PagingLeaf) { collector.leaf(leaf) }

  mutating func obstacle(_ obstacle: PagingObstacle) { collector.obstacle(obstacle) }

  mutating func finish(_ statistics: WalkStatistics) { close() }

  private mutating func close() {
    collector.finish(WalkStatistics())
    let found = collector.found
    guard !found.tables.isEmpty || found.leaves > 0 || !found.obstacles.obstacles.isEmpty else {
      return
    }
    pieces.append(.found(found))
    collector = MappingCollector(memory: memory, runLimit: runLimit)
  }
}
