// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import VTd

/// Gathers what tables map, as a state has it, and the table pages on the way.
///
/// Runs are made once, as what they are kept as: there may be millions of them.
struct MappingCollector: PagingVisitor, Sendable {
  /// In ascending order of I/O virtual addresses.
  private(set) var runs: [Run] = []
  /// Runs that were not kept.
  private(set) var runsDropped = 0
  /// Entries that map a page of any size; in nested translation first-stage entries.
  private(set) var leaves = 0
  /// Bytes mapped: the sum over all runs, kept or not.
  private(set) var bytes: UInt64 = 0
  /// Mapped bytes of kept runs whose target is no memory that the dump describes.
  private(set) var bytesOutsideMemory: UInt64 = 0
  private(set) var obstacles = ObstacleCollector()
  private(set) var tables: [TableInventory.PageTable] = []

  private var merger = RunMerger()
  private var memory: RangeLocator
  private let runLimit: Int

  init(memory: AddressRanges, runLimit: Int) {
    self.memory = RangeLocator(memory)
    self.runLimit = runLimit
  }

  mutating func enter(_ table: PagingTable) -> WalkDecision {
    if !table.isRevisit { tables.append(TableInventory.PageTable(table)) }
    return .enter
  }

  mutating func leaf(_ leaf: PagingLeaf) {
    if leaf.piece == 0 { leaves &+= 1 }
    if let run = merger.add(leaf, length: leaf.length) { keep(run) }
  }

  mutating func leaves(_ first: PagingLeaf, count: Int) {
    leaves &+= count
    let length = first.length &* UInt64(truncatingIfNeeded: count)
    if let run = merger.add(first, length: length) { keep(run) }
  }

  mutating func obstacle(_ obstacle: PagingObstacle) { obstacles.add(obstacle) }

  mutating func finish(_ statistics: WalkStatistics) {
    if let run = merger.current { keep(run) }
    merger = RunMerger()
  }

  private mutating func keep(_ mapped: MappedRun) {
    // Hostile tables that share pages cannot exceed 2^57 bytes in one walk, but walks may be many.
    bytes = bytes &+ mapped.length
    guard runs.count < runLimit else {
      runsDropped += 1
      return
    }
    // An array that doubles is copied into fresh pages each time, and of millions of runs that costs as
    // much as finding them. Room that is not used stays addresses.
    if runs.count == 1 << 17 || runs.count == 1 << 20 {
      runs.reserveCapacity(min(runs.count << 3, runLimit))
    }
    let run = Run(mapped)
    runs.append(run)
    let targets = run.targets
    switch memory.place(of: targets) {
    case .inside: break
    case .outside: bytesOutsideMemory = bytesOutsideMemory &+ mapped.length
    case .across:
      var outside: UInt64 = 0
      memory.ranges.forEachGap(in: targets) { gap in
        outside = outside &+ (gap.upperBound - gap.lowerBound + 1)
      }
      bytesOutsideMemory = bytesOutsideMemory &+ outside
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
