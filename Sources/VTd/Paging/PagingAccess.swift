// SPDX-License-Identifier: Apache-2.0

/// What a device may do with a page.
///
/// Bits 0 and 1 of entries of both stages.
public struct PagingAccess: OptionSet, Hashable, Sendable, CustomStringConvertible {
  public var rawValue: UInt8

  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  // Computed, because each use of a stored one asks first whether it is stored already.
  @inlinable public static var read: Self { Self(rawValue: 1) }
  @inlinable public static var write: Self { Self(rawValue: 2) }
  @inlinable public static var all: Self { Self(rawValue: 3) }

  /// The rights that an entry of either stage grants: a present first-stage entry (bit 0) can be
  /// read, a second-stage entry has a bit for each.
  @inlinable
  public init(entry word: UInt64) {
    rawValue = UInt8(truncatingIfNeeded: word) & 3
  }

  /// `r`, `w`, `rw`, or `-` for none.
  public var description: String {
    switch self {
    case .read: "r"
    case .write: "w"
    case .all: "rw"
    default: "-"
    }
  }
}
