// SPDX-License-Identifier: Apache-2.0

/// How many faults came when: a storm, a trickle, or one burst.
public struct FaultsOverTime: Hashable, Sendable {
  /// When the first came, in nanoseconds since boot.
  public var first: UInt64
  /// When the last came.
  public var last: UInt64
  /// Nanoseconds of one step, at least 1.
  public var step: UInt64
  /// Faults in each step from the first on.
  public var counts: [Int]

  /// - Parameters:
  ///   - times: in any order, in nanoseconds since boot.
  ///   - steps: at most so many.
  /// - Returns: `nil` where fewer than two moments are known.
  init?(_ times: [UInt64], steps: Int = 60) {
    guard let first = times.min(), let last = times.max(), last > first else { return nil }
    self.first = first
    self.last = last
    // The last one belongs to a step as well.
    step = (last - first) / UInt64(max(1, steps)) + 1
    counts = Array(repeating: 0, count: Int(clamping: (last - first) / step) + 1)
    for time in times { counts[Int(clamping: (time - first) / step)] += 1 }
  }
}

extension FaultsOverTime: DocumentRow {
  static var rowName: String { "overTime" }
  static var rowMeaning: String { "How many refused requests came when, in steps of equal length." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultsOverTime {
    fields.field("first", \.first, "When the first came, in nanoseconds since boot.")
    fields.field("last", \.last, "When the last came.")
    fields.field("step", \.step, "Nanoseconds of one step.")
    fields.field("counts", \.counts, "Refused requests in each step, from the first on.", .count)
  }
}
