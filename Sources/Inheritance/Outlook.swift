// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Whether a crash kernel that does what Linux does gets through, why, and what to do about it.
public struct Outlook: Hashable, Sendable {
  public enum Answer: String, Hashable, Sendable, CaseIterable {
    case probably
    case doubtful
    case no
  }

  public var answer: Answer
  /// What speaks against it, the weightiest first.
  public var concerns: [Concern]
  /// Whether the command line that was given can be used; `nil` if none was.
  public var usesCommandLine: Bool?
  /// Devices with a driver in the crash kernel that a dump could be written to or through.
  public var writers: [Driver]
  /// Drivers to leave out of the crash kernel's initramfs.
  public var leaveOut: [Driver]
  /// Words that belong on its command line.
  public var add: [Word]
  /// Words that never belong there.
  public var never: [Word]

  /// One thing that can keep the crash kernel from getting through, or that is worth knowing.
  public struct Concern: Hashable, Sendable {
    public var kind: Kind
    public var weight: Weight
    public var unit: String?
    /// Whom it concerns, by address.
    public var devices: [DeviceName]
    /// A sentence without its full stop.
    public var text: String
  }

  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case nothingTranslates = "nothing-translates"
    case notReserved = "not-reserved"
    case noWriter = "no-writer"
    case unknownState = "unknown-state"
    case switchedOff = "switched-off"
    case refused
    case incomplete
    case identityNotAttached = "identity-not-attached"
    case staleContext = "stale-context"
    case passThroughAssumed = "pass-through-assumed"
    case identityAssumed = "identity-assumed"
    case crashMemoryMapped = "crash-memory-mapped"
    case tablesMapped = "tables-mapped"
    case tablesUnread = "tables-unread"
    case interruptsLost = "interrupts-lost"
    case errorFound = "error-found"
    case oldTransfers = "old-transfers"
    case notTranslated = "not-translated"
  }

  public enum Weight: String, Hashable, Sendable, CaseIterable, Comparable {
    case note
    case doubt
    case no

    private var rank: Int {
      switch self {
      case .note: 0
      case .doubt: 1
      case .no: 2
      }
    }

    public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
  }

  /// A driver, and why it is named.
  public struct Driver: Hashable, Sendable {
    public var driver: String
    public var devices: [DeviceName]
    public var reason: String
  }

  /// A word of the command line, and why.
  public struct Word: Hashable, Sendable {
    public var word: String
    public var reason: String
  }
}
