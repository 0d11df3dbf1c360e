// SPDX-License-Identifier: Apache-2.0

/// How a walk went.
public struct WalkStatistics: Hashable, Sendable {
  /// Table pages read, each counted once; holes taken for zeros are not among them.
  public var tables = 0
  /// Table pages that could not be read, each counted once.
  public var unreadable = 0
  /// Table pages that were holes of an ELF dump and were taken for zeros, each counted once.
  public var assumedZero = 0
  /// Pointers to a table on its own path.
  public var cycles = 0
  /// Pointers to a table that was met before.
  public var aliases = 0
  /// Present entries with reserved bits, misaligned and too wide addresses included.
  public var reservedBits = 0
  /// Nested: stretches that the second stage does not let through.
  public var secondStageHoles = 0
  /// The parts of the budget that were spent; the mapping is then incomplete.
  public var exhausted: Set<WalkBudget.Part> = []
  /// The visitor ended the walk.
  public var isStopped = false
  /// What is left of the budget: the next walk's, where several walks share one.
  public var remaining = WalkBudget(tables: 0, revisits: 0, lookups: 0)

  public init() {}
}
