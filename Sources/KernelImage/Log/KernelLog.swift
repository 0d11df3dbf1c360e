// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// One message of the kernel log.
public struct LogMessage: Hashable, Sendable {
  /// Numbers the messages of one log, ascending.
  public var sequence: UInt64
  /// Nanoseconds since boot.
  public var time: UInt64
  /// 0 (emergency) … 7 (debug).
  public var level: Int
  public var text: String
}

extension KernelImage {
  /// The kernel log from its newest message backwards, until `body` returns `false`.
  ///
  /// The log is a lockless ring since Linux v5.10 (`prb`), a buffer of records before (`log_buf`);
  /// the symbols that exist tell which.
  ///
  /// - Parameter limit: how many messages to give at most; no kernel's log holds as many by default.
  /// - Throws: where the log cannot be read; what was given to `body` before that stands.
  public func newestMessages(
    limit: Int = 1 << 20, _ body: (LogMessage) -> Bool
  ) throws(KernelError) {
    if symbol("prb") == nil, symbol("log_buf") != nil {
      try newestRecordMessages(limit: limit, body)
    } else {
      try newestRingMessages(limit: limit, body)
    }
  }

  /// The kernel log from its oldest message on.
  ///
  /// - Parameter body: called for each message that was kept; an error ends the reading, after the
  ///   messages that could be read.
  public func messages(_ body: (LogMessage) -> Void) throws(KernelError) {
    var newest: [LogMessage] = []
    var failure: KernelError?
    do {
      try newestMessages { message in
        newest.append(message)
        return true
      }
    } catch {
      failure = error
    }
    for message in newest.reversed() { body(message) }
    if let failure { throw failure }
  }
}
