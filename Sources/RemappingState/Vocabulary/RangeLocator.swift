// SPDX-License-Identifier: Apache-2.0

internal import Algorithms

/// Tells of many ranges, one after another, how they lie to a set of ranges.
///
/// Neighbours mostly fall where the one before fell, so the answer costs two comparisons; else it is
/// looked up. Made for passes over millions of runs.
public struct RangeLocator: Sendable {
  /// How a range lies to the set.
  public enum Place: Hashable, Sendable {
    /// Every byte lies in one of the ranges.
    case inside
    /// No byte does.
    case outside
    /// Some do.
    case across
  }

  public let ranges: AddressRanges
  /// The range of the set, or the gap between two, in which the last one lay; both ends inclusive.
  @usableFromInline var lower: UInt64 = 1
  @usableFromInline var upper: UInt64 = 0
  @usableFromInline var isInside = false

  public init(_ ranges: AddressRanges) {
    self.ranges = ranges
  }

  @inlinable
  public mutating func place(of range: ClosedRange<UInt64>) -> Place {
    if range.lowerBound >= lower, range.upperBound <= upper {
      return isInside ? .inside : .outside
    }
    return lookUp(range)
  }

  @usableFromInline
  mutating func lookUp(_ range: ClosedRange<UInt64>) -> Place {
    let list = ranges.ranges
    let index = list.partitioningIndex { $0.upperBound >= range.lowerBound }
    guard index < list.count, list[index].lowerBound <= range.upperBound else {
      // A gap: behind the range before, and before the next one.
      isInside = false
      lower = index == 0 ? 0 : list[index - 1].upperBound + 1
      upper = index == list.count ? .max : list[index].lowerBound - 1
      return .outside
    }
    guard list[index].lowerBound <= range.lowerBound, range.upperBound <= list[index].upperBound
    else { return .across }
    isInside = true
    lower = list[index].lowerBound
    upper = list[index].upperBound
    return .inside
  }
}
