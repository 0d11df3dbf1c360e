// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState
public import Translation

/// A message of the log about a unit, other than a refused request, held against the dump.
public struct UnitExplanation: Hashable, Sendable {
  public var kind: Kind
  public var severity: Finding.Severity
  /// The first one's text.
  public var text: String
  public var count: Int
  /// Seconds since boot.
  public var first: String?
  public var last: String?
  public var unit: String?
  /// The device that the message or its descriptor is about.
  public var device: PCIFunction?
  public var driver: String?
  public var iova: IOVirtualAddress?
  /// What the message says, in a sentence.
  public var meaning: String
  /// Descriptors and entries that the message holds, decoded.
  public var entries: [Entry]
  /// What the dump says about it.
  public var evidence: [String]
  /// What to look at next; `nil` where nothing follows.
  public var next: String?

  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case status = "fault-status"
    case unreachable = "unit-unreachable"
    case invalidationError = "invalidation-error"
    case lockup
    case malfunction
    case pageRequest = "page-request"
    case alreadySet = "pte-already-set"
    case tables = "dumped-tables"
    case firmware
    case takeover
    case failure = "driver-failure"
    case foreign = "other-driver"
  }

  /// A word or words of a message.
  public struct Entry: Hashable, Sendable {
    /// `QI HEAD: device TLB`, `entry that stood there`, ….
    public var name: String
    /// As the message has them, lowest first.
    public var logged: [HexWord]
    /// The fields that are not zero.
    public var fields: [DecodedField]
    /// The same entry in the dump; `nil` where there is none to compare.
    public var now: [HexWord]?

    public init(
      _ name: String, logged: [UInt64], fields: [DecodedField] = [], now: [UInt64]? = nil
    ) {
      self.name = name
      self.logged = logged.map { HexWord($0) }
      self.fields = fields
      self.now = now.map { $0.map { HexWord($0) } }
    }
  }
}
