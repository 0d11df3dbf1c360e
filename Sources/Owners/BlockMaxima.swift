// SPDX-License-Identifier: Apache-2.0

/// The greatest of each block of numbers, of each block of these, and so on: finds all numbers that
/// reach a bound without looking at the others.
struct BlockMaxima: Sendable {
  private static let shift = 4

  /// The numbers themselves, then the maxima of each 16 of the level before; the last level has at
  /// most 16.
  private var levels: [[UInt64]] = []

  init() {}

  init(_ numbers: some Sequence<UInt64>) {
    var level = Array(numbers)
    levels = [level]
    while level.count > 1 << Self.shift {
      level = stride(from: 0, to: level.count, by: 1 << Self.shift).map { start in
        level[start..<min(start + 1 << Self.shift, level.count)].max() ?? 0
      }
      levels.append(level)
    }
  }

  /// Calls `body` with the index of each number below `limit` that is at least `bound`, descending.
  func forEach(below limit: Int, atLeast bound: UInt64, _ body: (Int) -> Void) {
    guard let top = levels.indices.last, limit > 0 else { return }
    visit(top, levels[top].indices, limit, bound, body)
  }

  private func visit(
    _ level: Int, _ range: Range<Int>, _ limit: Int, _ bound: UInt64, _ body: (Int) -> Void
  ) {
    for index in range.reversed() where levels[level][index] >= bound {
      guard level > 0 else {
        if index < limit { body(index) }
        continue
      }
      let first = index << Self.shift
      // Blocks that begin behind the limit hold nothing below it.
      guard first << (Self.shift * (level - 1)) < limit else { continue }
      let last = min(first + 1 << Self.shift, levels[level - 1].count)
      visit(level - 1, first..<last, limit, bound, body)
    }
  }
}
