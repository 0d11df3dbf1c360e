// SPDX-License-Identifier: Apache-2.0

internal import Algorithms

/// Sorted, disjoint, non-adjacent ranges of addresses; both ends inclusive, so that the whole 64-bit
/// space can be told.
///
/// The one set of ranges of this package, for physical and for I/O virtual addresses alike.
public struct AddressRanges: Hashable, Sendable {
  public private(set) var ranges: [ClosedRange<UInt64>]

  public init() { ranges = [] }

  /// - Parameter unsorted: in any order; they may overlap.
  public init(_ unsorted: some Sequence<ClosedRange<UInt64>>) {
    var builder = Builder()
    for range in unsorted { builder.add(range) }
    self = builder.ranges
  }

  /// Puts ranges together that come one by one, in any order; where they ascend, none is kept twice.
  public struct Builder {
    private var ascending = AddressRanges()
    private var others: [ClosedRange<UInt64>] = []
    /// The last range, which neighbours may still join; empty before the first one.
    @usableFromInline var lower: UInt64 = 1
    @usableFromInline var upper: UInt64 = 0

    public init() {}

    @inlinable
    public mutating func add(_ range: ClosedRange<UInt64>) {
      // A range that ends with the last address has no neighbour.
      if upper &+ 1 == range.lowerBound, lower <= upper, upper != .max {
        upper = range.upperBound
      } else {
        keep()
        (lower, upper) = (range.lowerBound, range.upperBound)
      }
    }

    @usableFromInline
    mutating func keep() {
      guard lower <= upper else { return }
      if !ascending.append(lower...upper) { others.append(lower...upper) }
      (lower, upper) = (1, 0)
    }

    /// What was added so far.
    public var ranges: AddressRanges {
      mutating get {
        keep()
        return sorted
      }
    }

    private var sorted: AddressRanges {
      guard !others.isEmpty else { return ascending }
      var result = AddressRanges()
      for range in Self.sorted(ascending.ranges + others) { _ = result.append(range) }
      return result
    }

    /// By where they begin.
    ///
    /// Many ranges are sorted digit by digit, which takes as long as their number is great, however
    /// they come.
    private static func sorted(_ ranges: [ClosedRange<UInt64>]) -> [ClosedRange<UInt64>] {
      guard ranges.count > 1 << 12 else {
        return ranges.sorted { $0.lowerBound < $1.lowerBound }
      }
      // Bits that are the same in all of them need no pass.
      let different = ranges.reduce(into: 0 as UInt64) {
        $0 |= $1.lowerBound ^ ranges[0].lowerBound
      }
      var (from, to) = (ranges, ranges)
      var shift = UInt64(different.trailingZeroBitCount)
      while shift < 64, different >> shift != 0 {
        var places = [Int](repeating: 0, count: 1 << 11)
        for range in from {
          places[Int(truncatingIfNeeded: range.lowerBound >> shift & 0x7ff)] += 1
        }
        var next = 0
        for digit in places.indices { (places[digit], next) = (next, next + places[digit]) }
        for range in from {
          let digit = Int(truncatingIfNeeded: range.lowerBound >> shift & 0x7ff)
          to[places[digit]] = range
          places[digit] += 1
        }
        swap(&from, &to)
        shift += 11
      }
      return from
    }
  }

  /// Takes a range that begins behind the last one's begin; `false` for one that does not.
  private mutating func append(_ range: ClosedRange<UInt64>) -> Bool {
    guard let last = ranges.last else {
      ranges.append(range)
      return true
    }
    guard range.lowerBound >= last.lowerBound else { return false }
    if range.lowerBound <= last.upperBound || range.lowerBound - last.upperBound == 1 {
      if range.upperBound > last.upperBound {
        ranges[ranges.count - 1] = last.lowerBound...range.upperBound
      }
    } else {
      ranges.append(range)
    }
    return true
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

  /// Number of 4 KiB pages that the ranges touch.
  public var pages: UInt64 {
    AddressRanges(ranges.map { ($0.lowerBound & ~0xfff)...($0.upperBound | 0xfff) }).bytes >> 12
  }
}

// MARK: One range

extension AddressRanges {
  /// The index of the first range that ends at or behind `address`.
  private func index(endingAtOrAfter address: UInt64) -> Int {
    ranges.partitioningIndex { $0.upperBound >= address }
  }

  public func contains(_ address: UInt64) -> Bool { overlaps(address...address) }

  /// Whether any byte of `range` lies in one of the ranges.
  public func overlaps(_ range: ClosedRange<UInt64>) -> Bool { overlap(range) != nil }

  /// Whether every byte of `range` lies in one of the ranges.
  public func covers(_ range: ClosedRange<UInt64>) -> Bool { overlap(range) == range }

  /// The first part of `range` that lies in one of the ranges.
  public func overlap(_ range: ClosedRange<UInt64>) -> ClosedRange<UInt64>? {
    let index = index(endingAtOrAfter: range.lowerBound)
    guard index < ranges.count, ranges[index].lowerBound <= range.upperBound else { return nil }
    return ranges[index].clamped(to: range)
  }

  /// The parts of `range` that lie in one of the ranges, ascending.
  public func parts(of range: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
    var parts: [ClosedRange<UInt64>] = []
    forEachPart(of: range) { parts.append($0) }
    return parts
  }

  /// Calls `body` with each part of `range` that lies in one of the ranges, ascending.
  public func forEachPart(of range: ClosedRange<UInt64>, _ body: (ClosedRange<UInt64>) -> Void) {
    var index = index(endingAtOrAfter: range.lowerBound)
    while index < ranges.count, ranges[index].lowerBound <= range.upperBound {
      body(ranges[index].clamped(to: range))
      index += 1
    }
  }

  /// The parts of `range` that lie in none of the ranges, ascending.
  public func gaps(in range: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
    var gaps: [ClosedRange<UInt64>] = []
    forEachGap(in: range) { gaps.append($0) }
    return gaps
  }

  /// Calls `body` with each part of `range` that lies in none of the ranges, ascending.
  public func forEachGap(in range: ClosedRange<UInt64>, _ body: (ClosedRange<UInt64>) -> Void) {
    var next = range.lowerBound
    var index = index(endingAtOrAfter: range.lowerBound)
    while index < ranges.count, ranges[index].lowerBound <= range.upperBound {
      let covered = ranges[index]
      if covered.lowerBound > next { body(next...(covered.lowerBound - 1)) }
      if covered.upperBound >= range.upperBound { return }
      next = covered.upperBound + 1
      index += 1
    }
    body(next...range.upperBound)
  }

  /// The longest part of `window` that lies in one of the ranges; of equals the first.
  public func longest(in window: ClosedRange<UInt64>) -> ClosedRange<UInt64>? {
    parts(of: window).max {
      $0.upperBound - $0.lowerBound < $1.upperBound - $1.lowerBound
    }
  }
}

// MARK: Two sets

extension AddressRanges {
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
}
