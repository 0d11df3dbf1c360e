// SPDX-License-Identifier: Apache-2.0

import Memory
public import VTd

/// A visitor that gathers which I/O virtual addresses are mapped, whatever they are mapped to: the
/// ranges that a domain which inherits the tables has to reserve.
///
/// Neighbouring pages are one range, across tables, page sizes and rights. Both ends are inclusive;
/// the last range is complete when the walk is over.
public struct IOVACollector: PagingVisitor {
  /// Ascending and disjoint; no two are neighbours.
  public private(set) var ranges: [ClosedRange<UInt64>] = []
  private var current: ClosedRange<UInt64>?

  public init() {}

  public mutating func leaf(_ leaf: PagingLeaf) {
    let start = leaf.iova.rawValue
    // The last byte, which exists even where the first address behind it does not.
    let end = start &+ (leaf.length &- 1)
    if let last = current {
      if last.upperBound != .max, last.upperBound &+ 1 == start {
        current = last.lowerBound...max(last.upperBound, end)
        return
      }
      ranges.append(last)
    }
    current = start...max(start, end)
  }

  public mutating func finish(_ statistics: WalkStatistics) {
    if let last = current { ranges.append(last) }
    current = nil
  }
}
