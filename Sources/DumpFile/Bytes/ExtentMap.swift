// SPDX-License-Identifier: Apache-2.0

internal import Algorithms

/// Bytes `start..<end` of one space that lie contiguously from `target` on in another.
struct Extent: Hashable, Sendable {
  var start: UInt64
  /// One past the last byte; greater than `start`.
  var end: UInt64
  var target: UInt64

  /// Where `position`, which lies inside the extent, is found.
  func target(of position: UInt64) -> UInt64 { target &+ (position &- start) }
}

/// Disjoint extents in ascending order: from physical addresses to dump offsets (ELF segments), or
/// from dump offsets to file offsets (flattened records).
struct ExtentMap: Sendable {
  private(set) var extents: [Extent]

  /// Which of two overlapping extents a byte belongs to, by their order in the file.
  enum Winner {
    case first
    case last
  }

  /// Resolves overlaps so that every position has one target.
  ///
  /// The extents come in file order, and `target + (end - start)` must not overflow.
  init(_ given: [Extent], winner: Winner) {
    // Nearly every dump is in order and free of overlaps; then there is nothing to resolve.
    var isDisjoint = true
    var previousEnd: UInt64 = 0
    for extent in given {
      if extent.start < previousEnd {
        isDisjoint = false
        break
      }
      previousEnd = extent.end
    }
    extents = isDisjoint ? given : Self.resolve(given, winner)
  }

  /// Sweeps over the extents by address.
  ///
  /// The active extents stand in a heap, best rank on top, so
  /// the cost is n log n however much they overlap; at most 2n − 1 pieces come out.
  private static func resolve(_ given: [Extent], _ winner: Winner) -> [Extent] {
    let order = given.indices.sorted { (given[$0].start, $0) < (given[$1].start, $1) }
    func rank(_ index: Int) -> Int { winner == .first ? index : -index }
    var heap = RankHeap()
    var result: [Extent] = []
    var next = 0
    var position: UInt64 = 0
    while true {
      while next < order.count, given[order[next]].start <= position {
        heap.push(rank(order[next]))
        next += 1
      }
      while let top = heap.top, given[abs(top)].end <= position { heap.pop() }
      guard let top = heap.top else {
        guard next < order.count else { return result }
        position = given[order[next]].start
        continue
      }
      let best = given[abs(top)]
      let boundary = next < order.count ? min(best.end, given[order[next]].start) : best.end
      let piece = Extent(start: position, end: boundary, target: best.target(of: position))
      if let last = result.last, last.end == piece.start, last.target(of: last.end) == piece.target
      {
        result[result.count - 1].end = piece.end
      } else {
        result.append(piece)
      }
      position = boundary
    }
  }

  /// Index of the first extent that ends after `position`; the number of extents if none does.
  func index(endingAfter position: UInt64) -> Int {
    extents.partitioningIndex { $0.end > position }
  }

  /// One past the greatest position, or 0 without extents.
  var end: UInt64 { extents.last?.end ?? 0 }
}

/// A binary heap of ranks, least on top.
private struct RankHeap {
  private var ranks: [Int] = []

  var top: Int? { ranks.first }

  mutating func push(_ rank: Int) {
    ranks.append(rank)
    var child = ranks.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard ranks[child] < ranks[parent] else { return }
      ranks.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() {
    guard let last = ranks.popLast(), !ranks.isEmpty else { return }
    ranks[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < ranks.count && ranks[child] < ranks[least] {
        least = child
      }
      guard least != parent else { return }
      ranks.swapAt(least, parent)
      parent = least
    }
  }
}
