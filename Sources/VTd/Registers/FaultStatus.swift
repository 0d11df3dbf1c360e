// SPDX-License-Identifier: Apache-2.0

public import Memory

/// FSTS, the fault status register: what the unit has to report.
///
/// Source: VT-d specification, section 11.4.9.1; section 10.4.9 of revisions before 3.2, where bit 7
/// was PRO, overflow of the page request queue.
///
///     31      16 15   8  7   6   5   4   3   2   1   0
///    | reserved |  FRI |PRO|ITE|ICE|IQE|APF|AFO|PPF|PFO|
public struct FaultStatus: TableEntry {
  public var rawValue: UInt32

  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  public init(words: [UInt64]) { rawValue = UInt32(truncatingIfNeeded: words.first ?? 0) }
  public var words: [UInt64] { [UInt64(rawValue)] }
  public static let bitCount = 32

  public static let layout: [BitField] = [
    BitField("PFO", 0, "faults were lost: all fault records were in use"),
    BitField("PPF", 1, "a fault record is pending"),
    BitField("AFO", 2, "faults were lost: the advanced fault log was full"),
    BitField("APF", 3, "the advanced fault log has an entry"),
    BitField("IQE", 4, "invalidation queue error"),
    BitField("ICE", 5, "invalidation completion error"),
    BitField("ITE", 6, "invalidation time-out error"),
    BitField("PRO", 7, "page requests were lost: the queue was full"),
    BitField("FRI", 8...15, "index of the first pending fault record"),
    .reserved(16...31),
  ]

  public var isOverflown: Bool { rawValue >> 0 & 1 != 0 }
  public var isPending: Bool { rawValue >> 1 & 1 != 0 }
  /// Any of IQE, ICE and ITE.
  public var hasInvalidationError: Bool { rawValue >> 4 & 7 != 0 }
  /// Valid while a record is pending.
  public var recordIndex: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 8) }
  /// No unit has all bits set: what does not answer reads so.
  public var isAllOnes: Bool { rawValue == .max }
}
