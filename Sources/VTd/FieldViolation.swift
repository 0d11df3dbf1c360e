// SPDX-License-Identifier: Apache-2.0

import Memory

/// A field whose value the specification, or this unit, does not allow.
///
/// Reserved bits are not among these: see `reservedBits` of each entry.
public struct FieldViolation: Hashable, Sendable, CustomStringConvertible {
  /// The specification's abbreviation, as in the entry's `layout`.
  public var field: String
  public var value: UInt64
  /// Why the value is not allowed: half a sentence without a full stop.
  public var reason: String

  public init(_ field: String, _ value: UInt64, _ reason: String) {
    self.field = field
    self.value = value
    self.reason = reason
  }

  public var description: String { "\(field) is \(value.hexadecimal): \(reason)" }
}
