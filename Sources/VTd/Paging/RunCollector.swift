// SPDX-License-Identifier: Apache-2.0

/// A visitor that gathers what tables map, as maximal runs, and counts leaves and bytes.
///
/// Memory grows with the runs and with the obstacles kept, never with the leaves. Runs beyond the
/// limit are counted and not kept; `leaves` and `bytes` still count everything. Runs never reach
/// from one walk into the next.
public struct RunCollector: PagingVisitor {
  /// Default limit of runs: 4 Mi, 128 MiB of memory.
  public static let defaultRunLimit = 1 << 22
  /// Default limit of the obstacles kept of each category.
  public static let defaultObstacleLimit = 64

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
  public internal(set) var obstacles: [PagingObstacle] = []
  /// Obstacles met, kept or not.
  public internal(set) var obstacleCounts: [PagingObstacle.Category: Int] = [:]

  @usableFromInline var leafCount = 0
  @usableFromInline var merger = RunMerger()
  private let runLimit: Int
  private let obstacleLimit: Int

  public init(
    runLimit: Int = RunCollector.defaultRunLimit,
    obstacleLimit: Int = RunCollector.defaultObstacleLimit
  ) {
    self.runLimit = runLimit
    self.obstacleLimit = obstacleLimit
  }

  @inlinable
  public mutating func leaf(_ leaf: PagingLeaf) {
    if leaf.piece == 0 { leafCount &+= 1 }
    if let run = merger.add(leaf) { keep(run) }
  }

  public mutating func obstacle(_ obstacle: PagingObstacle) {
    let category = obstacle.kind.category
    let count = obstacleCounts[category, default: 0]
    obstacleCounts[category] = count + 1
    if count < obstacleLimit { obstacles.append(obstacle) }
  }

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

extension PageTableWalk {
  /// Calls `body` with each maximal run in ascending order, keeping none of them.
  ///
  /// - Returns: how the walk went; obstacles are in its counts only.
  @discardableResult
  public func forEachRun(_ body: (MappedRun) -> Void) -> WalkStatistics {
    withoutActuallyEscaping(body) { body in
      var stream = RunStream(body: body)
      return run(&stream)
    }
  }
}

/// The visitor behind `forEachRun`.
private struct RunStream: PagingVisitor {
  let body: (MappedRun) -> Void
  var merger = RunMerger()

  init(body: @escaping (MappedRun) -> Void) {
    self.body = body
  }

  mutating func leaf(_ leaf: PagingLeaf) {
    if let run = merger.add(leaf) { body(run) }
  }

  mutating func finish(_ statistics: WalkStatistics) {
    if let run = merger.current { body(run) }
  }
}
