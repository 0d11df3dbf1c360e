// SPDX-License-Identifier: Apache-2.0

public import KernelImage
internal import Memory

/// Faults of one log that are alike, with when they happened.
public struct FaultRecord: Hashable, Sendable {
  public var fault: FaultLine
  /// The first one's text.
  public var text: String
  public var count: Int
  /// Nanoseconds since boot; `nil` for a line that comes from elsewhere.
  public var first: UInt64?
  public var last: UInt64?

  public init(
    fault: FaultLine, text: String, count: Int = 1, first: UInt64? = nil, last: UInt64? = nil
  ) {
    self.fault = fault
    self.text = text
    self.count = count
    self.first = first
    self.last = last
  }

  /// Faults per second between the first and the last; `nil` for a single one.
  public var rate: Double? {
    guard let first, let last, last > first, count > 1 else { return nil }
    return Double(count - 1) / (Double(last - first) / 1e9)
  }
}

/// The faults that a kernel's log tells of.
public struct FaultLog: Sendable {
  /// The symbols that the log of a kernel before Linux 5.10 is found by.
  public static let symbols: Set<String> = [
    "log_buf", "log_buf_len", "log_first_idx", "log_next_idx",
  ]

  /// By first occurrence.
  public var records: [FaultRecord] = []
  /// Messages that were looked at.
  public var messages = 0
  /// Messages that the kernel left out because there were too many, as it says itself.
  public var suppressed = 0
  /// Why the log, or a part of it, could not be read.
  public var problem: String?
  /// When the newest message was written, in nanoseconds since boot.
  public var end: UInt64?

  public init() {}

  /// Groups the faults of messages that come in ascending order.
  ///
  /// Faults are alike if device, kind, PASID, page or index, and reason agree.
  public init(_ messages: [LogMessage]) {
    var rows: [FaultLine: Int] = [:]
    var open: (row: FaultLine, message: LogMessage)?
    func add(_ fault: FaultLine, _ message: LogMessage, _ text: String, to log: inout FaultLog) {
      if let row = rows[fault] {
        log.records[row].count += 1
        log.records[row].last = message.time
      } else {
        rows[fault] = log.records.count
        log.records.append(
          FaultRecord(fault: fault, text: text, first: message.time, last: message.time))
      }
    }
    for message in messages {
      self.messages += 1
      end = message.time
      for line in message.text.split(separator: "\n") {
        if let fault = FaultLine(line) {
          if let waiting = open {
            add(waiting.row, waiting.message, waiting.message.text, to: &self)
          }
          open = nil
          if fault.reason == nil {
            open = (fault, message)
          } else {
            add(fault, message, String(line), to: &self)
          }
        } else if let waiting = open, let reason = FaultLine.reason(line) {
          var fault = waiting.row
          fault.reason = reason
          add(fault, waiting.message, waiting.message.text + " " + line, to: &self)
          open = nil
        } else if line.contains("dmar_fault"), line.contains("callbacks suppressed") {
          suppressed += line.split(separator: " ").compactMap { Int($0) }.last ?? 0
        }
      }
    }
    if let waiting = open { add(waiting.row, waiting.message, waiting.message.text, to: &self) }
  }

  /// Reads the log of a dump.
  public init(reading image: KernelImage) {
    var messages: [LogMessage] = []
    var problem: String?
    do {
      try image.messages { messages.append($0) }
    } catch {
      problem = error.description
    }
    self.init(messages)
    self.problem = problem
  }
}
