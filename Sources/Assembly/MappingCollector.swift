// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import VTd

/// Gathers what tables map, as a state has it, and the table pages on the way.
///
/// Runs are made once, as what they are kept as: there may be millions of them.
struct MappingCollector: PagingVisitor, Sendable {
  private(set) var found = Gathered()

  private var merger = RunMerger()
  private var memory: RangeLocator
  private let runLimit: Int

  /// - Parameter buffer: an empty list, for its room.
  init(memory: AddressRanges, runLimit: Int, buffer: [Run] = []) {
    self.memory = RangeLocator(memory)
    self.runLimit = runLimit
    found.runs = buffer
  }

  mutating func enter(_ table: PagingTable) -> WalkDecision {
    if !table.isRevisit { found.tables.append(TableInventory.PageTable(table)) }
    return .enter
  }

  mutating func leaf(_ leaf: PagingLeaf) {
    if leaf.piece == 0 { found.leaves &+= 1 }
    if let run = merger.add(leaf, length: leaf.length) { keep(run) }
  }

  mutating func leaves(_ first: PagingLeaf, count: Int) {
    found.leaves &+= count
    let length = first.length &* UInt64(truncatingIfNeeded: count)
    if let run = merger.add(first, length: length) { keep(run) }
  }

  mutating func obstacle(_ obstacle: PagingObstacle) { found.obstacles.add(obstacle) }

  mutating func finish(_ statistics: WalkStatistics) {
    if let run = merger.current { keep(run) }
    merger = RunMerger()
  }

  private mutating func keep(_ mapped: MappedRun) {
    // Hostile tables that share pages cannot exceed 2^57 bytes in one walk, but walks may be many.
    found.bytes = found.bytes &+ mapped.length
    guard found.runs.count < runLimit else {
      found.runsDropped += 1
      return
    }
    // An array that doubles is copied into fresh pages each time, and of millions of runs that costs as
    // much as finding them. Room that is not used stays addresses.
    if found.runs.count == 1 << 17 || found.runs.count == 1 << 20 {
      found.runs.reserveCapacity(min(found.runs.count << 3, runLimit))
    }
    let run = Run(mapped)
    found.runs.append(run)
    let targets = run.targets
    switch memory.place(of: targets) {
    case .inside: break
    case .outside: found.bytesOutsideMemory = found.bytesOutsideMemory &+ mapped.length
    case .across:
      var outside: UInt64 = 0
      memory.ranges.forEachGap(in: targets) { gap in
        outside = outside &+ (gap.upperBound - gap.lowerBound + 1)
      }
      found.bytesOutsideMemory = found.bytesOutsideMemory &+ outside
    }
  }
}

extension Run {
  init(_ run: MappedRun) {
    self.init(
      iova: run.iova, length: HexWord(run.length), physical: run.physical,
      access: run.access == .all ? .readWrite : run.access == .write ? .write : .read)
  }
}
