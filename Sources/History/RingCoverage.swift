// SPDX-License-Identifier: Apache-2.0

/// What the kernel's trace ring covers: whether it recorded, from when to when, and what it lost.
public struct RingCoverage: Hashable, Sendable {
  /// Whether the ring took events at the crash; `nil` if that cannot be read.
  public var isRecording: Bool?
  /// Events of the systems iommu and intel_iommu that were switched on, ascending; `nil` if that cannot
  /// be read, empty if none was.
  public var enabled: [String]?
  /// The trace clock by its number in the kernel's list, 0 for `local`; `nil` if unknown.
  public var clock: Int?
  /// Time of the oldest event of any system that is left, in nanoseconds of the trace clock.
  public var first: UInt64?
  /// Time of the newest one.
  public var last: UInt64?
  /// Events of other systems that were passed by.
  public var others: Int
  /// Events that were overwritten by newer ones, of all processors.
  public var overruns: UInt64
  /// Events that were lost for other reasons: the ring was full or busy.
  public var dropped: UInt64
  /// When the kernel said that it panics, in nanoseconds since boot; `nil` if its log does not tell.
  public var panic: UInt64?

  public init() {
    others = 0
    overruns = 0
    dropped = 0
  }

  /// Whether the trace clock counts as the log does, so that both can be compared.
  ///
  /// The first of the kernel's trace clocks, and the ones called global and perf, are the scheduler's
  /// clock, which the log's times are made of too.
  ///
  /// Source: kernel/trace/trace.c, `trace_clocks`; kernel/printk/printk.c, `vprintk_store`.
  public var countsLikeLog: Bool { clock == 0 || clock == 1 || clock == 4 }

  /// Nanoseconds from the newest event to the panic; `nil` where they cannot be compared, or where
  /// events are newer than the panic.
  public var beforePanic: UInt64? {
    guard countsLikeLog, let last, let panic, panic >= last else { return nil }
    return panic - last
  }
}
