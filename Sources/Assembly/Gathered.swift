// SPDX-License-Identifier: Apache-2.0

internal import RemappingState
internal import VTd

/// What a walk, or a part of one, found.
struct Gathered: Sendable {
  /// In ascending order of I/O virtual addresses.
  var runs: [Run] = []
  /// Runs that were not kept.
  var runsDropped = 0
  /// Entries that map a page of any size; in nested translation first-stage entries.
  var leaves = 0
  /// Bytes mapped: the sum over all runs, kept or not.
  var bytes: UInt64 = 0
  /// Mapped bytes of kept runs whose target is no memory that the dump describes.
  var bytesOutsideMemory: UInt64 = 0
  var obstacles = ObstacleCollector()
  var tables: [TableInventory.PageTable] = []

  /// Takes all that the part of the walk behind this one found, but for its runs.
  mutating func addFacts(_ next: Gathered) {
    runsDropped += next.runsDropped
    leaves &+= next.leaves
    bytes = bytes &+ next.bytes
    bytesOutsideMemory = bytesOutsideMemory &+ next.bytesOutsideMemory
    obstacles.add(next.obstacles)
    tables += next.tables
  }
}
