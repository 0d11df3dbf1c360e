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

  /// The level of messages that name none, by default; `MESSAGE_LOGLEVEL_DEFAULT`.
  static let usualLevel = 4
}

/// A kernel's log as far as it could be read.
struct KernelLog {
  /// Newest first.
  var messages: [LogMessage] = []
  /// Why what is older is missing.
  var failure: KernelError?

  /// Numbers of messages that are kept; no kernel's log holds as many by default.
  private static let messageLimit = 1 << 20
  /// Bytes of text that are kept. Messages do not share their text in an honest log, so its buffer, of
  /// at most 2 GiB and of a few hundred KiB by default, bounds them all together.
  private static let textLimit = 1 << 28

  /// The log is a lockless ring since Linux v5.10 (`prb`), a buffer of records before (`log_buf`);
  /// the symbols that exist tell which.
  init(reading image: KernelImage) {
    var bytes = 0
    var messages: [LogMessage] = []
    func add(_ message: LogMessage) -> Bool {
      messages.append(message)
      bytes += message.text.utf8.count
      return bytes < Self.textLimit
    }
    do throws(KernelError) {
      if image.symbol("prb") == nil, image.symbol("log_buf") != nil {
        try image.newestRecordMessages(limit: Self.messageLimit, add)
      } else {
        try image.newestRingMessages(limit: Self.messageLimit, add)
      }
    } catch {
      failure = error
    }
    self.messages = messages
  }
}

extension KernelImage {
  /// The kernel log from its newest message backwards, until `body` returns `false`.
  ///
  /// The log is read once, whoever asks first.
  ///
  /// - Parameter limit: how many messages to give at most.
  /// - Throws: where the log cannot be read; what was given to `body` before that stands.
  public func newestMessages(
    limit: Int = .max, _ body: (LogMessage) -> Bool
  ) throws(KernelError) {
    let log = log
    for message in log.messages.prefix(max(0, limit)) where !body(message) { return }
    if log.messages.count <= limit, let failure = log.failure { throw failure }
  }

  /// Reads the log now, where it matters what its pages are read for.
  public func readLog() { _ = log }

  /// The kernel log from its oldest message on.
  ///
  /// - Parameter body: called for each message that was kept; an error ends the reading, after the
  ///   messages that could be read.
  public func messages(_ body: (LogMessage) -> Void) throws(KernelError) {
    let log = log
    for message in log.messages.reversed() { body(message) }
    if let failure = log.failure { throw failure }
  }

  /// What can be read of the kernel log, from its oldest message on, and what kept the rest from
  /// being read; `nil` where all of it was.
  public func readableMessages() -> (messages: [LogMessage], problem: String?) {
    let log = log
    return (log.messages.reversed(), log.failure?.description)
  }
}
