// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
public import Memory

extension Run {
  /// First to last I/O virtual address, both inclusive.
  @inlinable
  public var addresses: ClosedRange<UInt64> {
    Self.range(iova.rawValue, length.rawValue)
  }

  /// First to last physical address, both inclusive.
  @inlinable
  public var targets: ClosedRange<UInt64> {
    Self.range(physical.rawValue, length.rawValue)
  }

  /// A length that a hostile table or report makes run past the end of all addresses ends there.
  @inlinable
  static func range(_ start: UInt64, _ length: UInt64) -> ClosedRange<UInt64> {
    let (end, overflow) = start.addingReportingOverflow(max(length, 1) - 1)
    return start...(overflow ? .max : end)
  }
}

extension Mapping {
  /// The runs that touch `range`, ascending.
  public func runs(touching range: ClosedRange<UInt64>) -> ArraySlice<Run> {
    let first = runs.partitioningIndex { $0.addresses.upperBound >= range.lowerBound }
    return runs[first...].prefix { $0.iova.rawValue <= range.upperBound }
  }
}

extension Domain {
  /// The device whose domain this is, if it is one's alone.
  public var onlyDevice: DeviceName? { devices.count == 1 ? devices.first : nil }
}

extension ReservedRegion {
  /// First to last I/O virtual address, both inclusive; `nil` where the region ends before it
  /// begins, as only a document from elsewhere may say.
  public var range: ClosedRange<UInt64>? {
    base <= end ? base.rawValue...end.rawValue : nil
  }
}
