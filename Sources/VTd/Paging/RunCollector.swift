// SPDX-License-Identifier: Apache-2.0

/// A visitor that gathers what tables map, as maximal runs, and counts leaves and bytes.
///
/// Memory grows with the runs and with the obstacles kept, never with the leaves. Runs beyond the
/// limit are counted and not kept; `leaves` and `bytes` still count everything. Runs never reach
/// from one walk into the next.
public struct RunCollector: PagingVisitor {
  /// Default limit of runs: 4 Mi, 128 MiB of memory.
  public static let defaultRunLimit = 1 << 22

  /// In ascending order of I/O virtual addresses; complete once the walk is over and
  /// `runsDropped` is 0.
  public internal(set) var runs: [MappedRun] = []
  /// Runs that were not kept.
  public internal(set) var runsDropped = 0
  /// Entries that map a page of any size; in nested translation first-stage entries.
  public var leaves: Int { leafCount }
  /// Bytes mapped: the sum over all runs, kept or not.
  public internal(set) var bytes: UInt64 = 0
  /// Obstacles in the order of the walk, the first ones of each category.
  public var obstacles: [PagingObstacle] { obstacleCollector.obstacles }
  /// Obstacles met, kept or not.
  public var obstacleCounts: [PagingObstacle.Category: Int] { obstacleCollector.counts }

  @usableFromInline var leafCount = 0
  @usableFromInline var merger = RunMerger()
  private var obstacleCollector: ObstacleCollector
  private let runLimit: Int

  public init(
    runLimit: Int = RunCollector.defaultRunLimit,
    obstacleLimit: Int = ObstacleCollector.defaultLimit
  ) {
    self.runLimit = runLimit
    obstacleCollector = ObstacleCollector(limit: obstacleLimit)
  }

  @inlinable
  public mutating func leaf(_ leaf: PagingLeaf) {
    if leaf.piece == 0 { leafCount &+= 1 }
    if let run = merger.add(leaf, length: leaf.length) { keep(run) }
  }

  @inlinable
  public mutating func leaves(_ first: PagingLeaf, count: Int) {
    leafCount &+= count
    let length = first.length &* UInt64(truncatingIfNeeded: count)
    if let run = merger.add(first, length: length) { keep(run) }
  }

  public mutating func obstacle(_ obstacle: PagingObstacle) { obstacleCollector.add(obstacle) }

  public mutating func finish(_ statistics: WalkStatistics) {
    if let run = merger.current { keep(run) }
    merger = RunMerger()
  }

  @usableFromInline
  mutating func keep(_ run: MappedRun) {
    // Hostile tables that share pages cannot exceed 2^57 bytes in one walk, but walks may be many.
    bytes = bytes &+ run.length
    if runs.count < runLimit { runs.append(run) } else { runsDropped += 1 }
  }
}

/// Keeps the first obstacles of each category, and counts the others.
public struct ObstacleCollector: Sendable {
  /// Default limit of the obstacles kept of each category.
  public static let defaultLimit = 64

  /// In the order of the walk, the first ones of each category.
  public private(set) var obstacles: [PagingObstacle] = []
  /// Obstacles met, kept or not.
  public private(set) var counts: [PagingObstacle.Category: Int] = [:]
  private let limit: Int

  public init(limit: Int = ObstacleCollector.defaultLimit) {
    self.limit = limit
  }

  public mutating func add(_ obstacle: PagingObstacle) {
    let category = obstacle.kind.category
    let count = counts[category, default: 0]
    counts[category] = count + 1
    if count < limit { obstacles.append(obstacle) }
  }

  /// Takes those that were met behind these, by a collector with the same limit.
  public mutating func add(_ next: ObstacleCollector) {
    for obstacle in next.obstacles { add(obstacle) }
    // Those that were not kept there.
    for (category, count) in next.counts where count > next.limit {
      counts[category, default: 0] += count - next.limit
    }
  }
}
