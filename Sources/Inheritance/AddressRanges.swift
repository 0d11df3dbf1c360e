// SPDX-License-Identifier: Apache-2.0

/// Sorted, disjoint, non-adjacent ranges of addresses; both ends inclusive.
public struct AddressRanges: Hashable, Sendable {
  public private(set) var ranges: [ClosedRange<UInt64>]

  public init() { ranges = [] }

  public init(_ unsorted: some Sequence<ClosedRange<UInt64>>) {
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

  public var isEmpty: Bool { ranges.isEmpty }

  /// Bytes inside; the whole space of 2^64 counts as one byte less.
  public var bytes: UInt64 {
    var sum: UInt64 = 0
    for range in ranges {
      let (part, wraps) = (range.upperBound - range.lowerBound).addingReportingOverflow(1)
      let (next, overflow) = sum.addingReportingOverflow(part)
      if wraps || overflow { return .max }
      sum = next
    }
    return sum
  }

  /// What both have.
  public func intersection(_ other: AddressRanges) -> AddressRanges {
    var result = AddressRanges()
    var (a, b) = (0, 0)
    while a < ranges.count, b < other.ranges.count {
      let low = max(ranges[a].lowerBound, other.ranges[b].lowerBound)
      let high = min(ranges[a].upperBound, other.ranges[b].upperBound)
      if low <= high { result.ranges.append(low...high) }
      if ranges[a].upperBound < other.ranges[b].upperBound { a += 1 } else { b += 1 }
    }
    return result
  }

  /// What this has and the other has not.
  public func subtracting(_ other: AddressRanges) -> AddressRanges {
    var result = AddressRanges()
    var b = 0
    for range in ranges {
      var low = range.lowerBound
      var isDone = false
      while b < other.ranges.count, other.ranges[b].upperBound < low { b += 1 }
      var index = b
      while index < other.ranges.count, other.ranges[index].lowerBound <= range.upperBound {
        let hole = other.ranges[index]
        if hole.lowerBound > low { result.ranges.append(low...(hole.lowerBound - 1)) }
        if hole.upperBound >= range.upperBound {
          isDone = true
          break
        }
        low = hole.upperBound + 1
        index += 1
      }
      if !isDone { result.ranges.append(low...range.upperBound) }
    }
    return result
  }

  public func union(_ other: AddressRanges) -> AddressRanges {
    AddressRanges(ranges + other.ranges)
  }

  /// The longest range inside `window`.
  public func longest(in window: ClosedRange<UInt64>) -> ClosedRange<UInt64>? {
    intersection(AddressRanges([window])).ranges.max {
      $0.upperBound - $0.lowerBound < $1.upperBound - $1.lowerBound
    }
  }

  /// Number of 4 KiB pages that the ranges touch.
  public var pages: UInt64 {
    AddressRanges(ranges.map { ($0.lowerBound & ~0xfff)...($0.upperBound | 0xfff) }).bytes >> 12
  }
}
