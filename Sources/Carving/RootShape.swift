// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
internal import Memory
internal import VTd

/// The shape of a root table's page.
struct RootShape: Sendable {
  /// Ranges of memory, in frames, sorted and joined.
  private let ranges: [Range<UInt64>]

  /// - Parameter memory: in frames, in any order.
  init(_ memory: [Range<UInt64>]) {
    var joined: [Range<UInt64>] = []
    for range in memory.sorted(by: { $0.lowerBound < $1.lowerBound })
    where !range.isEmpty {
      if let last = joined.last, range.lowerBound <= last.upperBound {
        joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        joined.append(range)
      }
    }
    ranges = joined
  }

  /// How many words are a pointer into memory with its present bit; `nil` if another one is not zero,
  /// or all are.
  ///
  /// Almost every page fails in its first words.
  func pointers(_ page: Page) -> Int? {
    var present = 0
    for index in 0..<Page.wordCount {
      let word = page[word: index]
      if word == 0 { continue }
      guard word & 0xfff == 1, isMemory(word) else { return nil }
      present += 1
    }
    return present > 0 ? present : nil
  }

  func isMemory(_ word: UInt64) -> Bool {
    let frame = (word & ~0xfff) >> 12
    guard frame != 0 else { return false }
    let index = ranges.partitioningIndex { $0.upperBound > frame }
    return index < ranges.count && ranges[index].contains(frame)
  }
}
