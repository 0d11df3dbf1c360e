// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// Sorted, disjoint, non-adjacent ranges of addresses; both ends inclusive, so that the whole
/// 64-bit space can be told.
struct RangeSet {
  private(set) var ranges: [ClosedRange<UInt64>]

  init(_ unsorted: some Sequence<ClosedRange<UInt64>>) {
    ranges = []
    for range in unsorted.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = ranges.last,
        range.lowerBound <= last.upperBound || range.lowerBound - last.upperBound == 1
      {
        ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        ranges.append(range)
      }
    }
  }

  /// The index of the first range that ends at or behind `address`.
  private func index(endingAtOrAfter address: UInt64) -> Int {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  func overlaps(_ range: ClosedRange<UInt64>) -> Bool {
    let index = index(endingAtOrAfter: range.lowerBound)
    return index < ranges.count && ranges[index].lowerBound <= range.upperBound
  }

  /// The parts of `range` that lie in one of the ranges, ascending.
  func parts(of range: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
    var parts: [ClosedRange<UInt64>] = []
    var index = index(endingAtOrAfter: range.lowerBound)
    while index < ranges.count, ranges[index].lowerBound <= range.upperBound {
      parts.append(ranges[index].clamped(to: range))
      index += 1
    }
    return parts
  }

  /// The parts of `range` that lie in none of the ranges, ascending.
  func gaps(in range: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
    var gaps: [ClosedRange<UInt64>] = []
    var next = range.lowerBound
    var index = index(endingAtOrAfter: range.lowerBound)
    while index < ranges.count, ranges[index].lowerBound <= range.upperBound {
      let covered = ranges[index]
      if covered.lowerBound > next { gaps.append(next...(covered.lowerBound - 1)) }
      if covered.upperBound >= range.upperBound { return gaps }
      next = covered.upperBound + 1
      index += 1
    }
    gaps.append(next...range.upperBound)
    return gaps
  }
}

extension Run {
  /// First to last I/O virtual address, both inclusive.
  var addresses: ClosedRange<UInt64> {
    iova.rawValue...max(iova.rawValue, iova.rawValue &+ length.rawValue &- 1)
  }
}

extension Mapping {
  /// The runs that touch `range`, ascending.
  func runs(touching range: ClosedRange<UInt64>) -> ArraySlice<Run> {
    var low = 0
    var high = runs.count
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].addresses.upperBound < range.lowerBound {
        low = middle + 1
      } else {
        high = middle
      }
    }
    var end = low
    while end < runs.count, runs[end].iova.rawValue <= range.upperBound { end += 1 }
    return runs[low..<end]
  }
}
