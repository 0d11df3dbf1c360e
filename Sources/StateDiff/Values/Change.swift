// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// Something that a row of both dumps holds differently.
public enum Change: Hashable, Sendable {
  case field(FieldChange)
  case mapping(MappingChange)

  public var key: RowKey {
    switch self {
    case .field(let change): change.key
    case .mapping(let change): change.key
    }
  }
}

/// A field with two values.
public struct FieldChange: Hashable, Sendable {
  public var key: RowKey
  /// The field's name in the report; a dot leads into a row within the row.
  public var field: String
  public var old: FieldValue
  public var new: FieldValue

  public init(key: RowKey, field: String, old: FieldValue, new: FieldValue) {
    self.key = key
    self.field = field
    self.old = old
    self.new = new
  }
}

/// A range of I/O virtual addresses that is mapped differently.
public struct MappingChange: Hashable, Sendable {
  public var key: RowKey
  public var start: IOVirtualAddress
  /// Inclusive.
  public var end: IOVirtualAddress
  /// `nil` where the range was not mapped.
  public var old: Target?
  /// `nil` where the range is not mapped any more.
  public var new: Target?

  /// What the start of a range is mapped to; the rest follows without a gap.
  public struct Target: Hashable, Sendable {
    /// `nil` where physical addresses are not compared.
    public var physical: PhysicalAddress?
    public var access: Access

    public init(physical: PhysicalAddress?, access: Access) {
      self.physical = physical
      self.access = access
    }
  }

  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case added
    case removed
    /// The same addresses, another page; the access may differ as well.
    case moved
    /// The same page with another access.
    case access
  }

  public var kind: Kind {
    guard let old else { return .added }
    guard let new else { return .removed }
    return old.physical == new.physical ? .access : .moved
  }

  /// Bytes in the range; saturates for all of 64 bits.
  public var bytes: UInt64 {
    let (sum, overflow) = (end.rawValue &- start.rawValue).addingReportingOverflow(1)
    return overflow ? .max : sum
  }

  public init(
    key: RowKey, start: IOVirtualAddress, end: IOVirtualAddress, old: Target?, new: Target?
  ) {
    self.key = key
    self.start = start
    self.end = end
    self.old = old
    self.new = new
  }
}
