// SPDX-License-Identifier: Apache-2.0

public import KernelImage
internal import VTd

/// Everything that a log, or a text that someone pasted, tells about remapping units.
public struct FaultLog: Sendable {
  /// The symbols that the log of a kernel before Linux 5.10 is found by.
  public static let symbols: Set<String> = [
    "log_buf", "log_buf_len", "log_first_idx", "log_next_idx",
  ]

  /// Refused requests, by first occurrence.
  public var records: [FaultRecord] = []
  /// Other messages about units, by first occurrence.
  public var units: [UnitRecord] = []
  /// When each fault was written that has a time, in nanoseconds since boot, in the order of the log.
  public var times: [UInt64] = []
  /// Messages of the log, or lines of the text, that were looked at; blank ones not counted.
  public var messages = 0
  /// Those that tell nothing about a unit.
  public var others = 0
  /// Reasons of faults whose own line is missing.
  public var reasonsAlone = 0
  /// Messages that the kernel left out because there were too many, as it says itself.
  public var suppressed = 0
  /// Why the log, or a part of it, could not be read.
  public var problem: String?
  /// When the oldest message was written, in nanoseconds since boot; `nil` for a pasted text.
  public var begin: UInt64?
  /// When the newest message was written.
  public var end: UInt64?

  /// Whether it tells nothing of a unit at all.
  public var isEmpty: Bool {
    records.isEmpty && units.isEmpty && suppressed == 0 && reasonsAlone == 0
  }

  /// Faults, each counted.
  public var faults: Int { records.reduce(0) { $0 + $1.count } }

  public init() {}

  /// Reads the messages of a log, which come in ascending order.
  ///
  /// Faults are alike if device, kind, PASID, page or index, and reason agree.
  ///
  /// - Parameter problem: what kept the rest of the log from being read.
  public init(_ messages: [LogMessage], problem: String? = nil) {
    let text = LogText(messages)
    self.init(text)
    self.messages = messages.count
    begin = messages.first?.time
    end = messages.last?.time
    self.problem = problem
  }

  /// Reads a text that someone pasted: any number of lines, whatever stands around the messages.
  public init(pasted text: some StringProtocol) {
    self.init(LogText(text))
  }

  /// Reads the log of a dump.
  public init(reading image: KernelImage) {
    let (messages, problem) = image.readableMessages()
    self.init(messages, problem: problem)
  }

  private init(_ text: LogText) {
    let finder = MessageFinder(text)
    var builder = FaultLogBuilder(text)
    for (index, message) in finder.found.enumerated() {
      let next = index + 1 < finder.found.count ? finder.found[index + 1] : nil
      builder.add(message, next: next)
    }
    builder.finish()
    records = builder.records
    units = builder.units
    times = builder.times
    suppressed = builder.suppressed
    reasonsAlone = builder.reasonsAlone
    messages = text.lines.count { !$0.isBlank }
    others = text.lines.indices.count {
      !text.lines[$0].isBlank && !builder.usedLines.contains($0)
    }
  }
}

/// Puts together what belongs together: faults and their reasons, errors and their descriptors,
/// hanging CPUs and their stacks, lines of one dumped table.
struct FaultLogBuilder {
  let text: LogText
  private(set) var records: [FaultRecord] = []
  private(set) var units: [UnitRecord] = []
  private(set) var times: [UInt64] = []
  private(set) var suppressed = 0
  private(set) var reasonsAlone = 0
  private(set) var usedLines: Set<Int> = []

  private var rows: [FaultLine: Int] = [:]
  /// Faults whose reason has not come yet, oldest first: the row in `pending`.
  private var pending: [(fault: FaultLine, text: String, time: UInt64?)] = []
  private var newest: FaultLine?
  /// Records of units before alike ones are joined.
  private var parts: [UnitRecord] = []
  /// Errors of the queue that still wait for their descriptors.
  private var openErrors: [Int] = []
  private var openTables: Int?
  /// Whether no other message begins in the line in which the current one ends.
  private var isLastOfLine = true
  private var hang: (line: Int, text: String, time: UInt64?)?

  /// Lines that may stand between a hanging CPU and the place in its stack where it hangs.
  private static let stackDepth = 120

  init(_ text: LogText) { self.text = text }

  mutating func add(_ message: FoundMessage, next: FoundMessage? = nil) {
    isLastOfLine = next.map { $0.lines.lowerBound > message.lines.upperBound } ?? true
    if message.content != .hang { usedLines.formUnion(lines(of: message)) }
    let line = message.lines.lowerBound
    let time = text.lines[line].time
    switch message.content {
    case .fault(let fault):
      newest = fault
      let words = self.words(message, with: fault.reason != nil)
      if fault.reason == nil {
        pending.append((fault, words, time))
      } else {
        add(fault, words, time)
      }
    case .reason(let reason): add(reason, message)
    case .suppressed(let count):
      suppressed = suppressed.addingReportingOverflow(count).overflow ? .max : suppressed + count
    case .hang: hang = (line, words(message, with: true), time)
    case .waiting:
      guard let open = hang, line - open.line <= Self.stackDepth else {
        usedLines.remove(line)
        return
      }
      usedLines.insert(open.line)
      parts.append(
        UnitRecord(message: .lockup, text: open.text, first: open.time, last: open.time))
      hang = nil
    case .unit(let unit, let name): add(unit, name, words(message, with: true), time)
    }
  }

  /// The newest fault of the reason's kind that has none yet takes it.
  private mutating func add(_ reason: ReasonLine, _ message: FoundMessage) {
    guard
      let index = pending.lastIndex(where: {
        ($0.fault.kind == .interrupt) == reason.isInterrupt
      })
    else {
      reasonsAlone += 1
      return
    }
    var (fault, words, time) = pending.remove(at: index)
    if newest == fault { newest?.reason = reason.reason }
    fault.reason = reason.reason
    words += " " + self.words(message, with: false)
    add(fault, words, time)
  }

  private mutating func add(_ fault: FaultLine, _ words: String, _ time: UInt64?) {
    if let time { times.append(time) }
    if let row = rows[fault] {
      records[row].count += 1
      records[row].last = time ?? records[row].last
    } else {
      rows[fault] = records.count
      records.append(FaultRecord(fault: fault, text: words, first: time, last: time))
    }
  }

  private mutating func add(
    _ message: UnitMessage, _ unit: String?, _ words: String, _ time: UInt64?
  ) {
    let record = UnitRecord(message: message, unit: unit, text: words, first: time, last: time)
    switch message {
    case .invalidationError:
      openErrors.removeAll { !parts[$0].descriptors.isEmpty }
      openErrors.append(parts.count)
      parts.append(record)
    case .descriptor(let place, let raw):
      let open = openErrors.filter { parts[$0].descriptors[place] == nil }
      for index in open { parts[index].descriptors[place] = raw }
      if open.isEmpty { parts.append(record) }
    case .cleared(let error):
      // The error was printed by the same call; without it the words still tell that there was one.
      let open = parts.lastIndex {
        if case .invalidationError(error, _) = $0.message { !$0.isCleared } else { false }
      }
      if let open { parts[open].isCleared = true } else { parts.append(record) }
    case .tables(let line):
      if case .start = line {
        openTables = parts.count
        var record = record
        record.tables = [line]
        if case .start(let iova) = line, let newest, newest.value == iova { record.fault = newest }
        parts.append(record)
      } else if let openTables {
        parts[openTables].tables.append(line)
      } else {
        parts.append(record)
      }
    case .pageRequest(.invalid, _):
      // Since 5.12 the cause stands in the message before, which has no words then.
      if let last = parts.indices.last,
        case .pageRequest(let problem, let old) = parts[last].message, problem != .invalid,
        old.isEmpty, case .pageRequest(_, let raw) = message
      {
        parts[last].message = .pageRequest(problem, words: raw)
        parts[last].text += " " + words
      } else {
        parts.append(record)
      }
    default: parts.append(record)
    }
  }

  mutating func finish() {
    for (fault, words, time) in pending { add(fault, words, time) }
    pending = []
    var rows: [UnitRecord.Statement: Int] = [:]
    for part in parts {
      if let row = rows[part.statement] {
        units[row].count += 1
        units[row].last = part.last ?? units[row].last
        units[row].isCleared = units[row].isCleared || part.isCleared
      } else {
        rows[part.statement] = units.count
        units.append(part)
      }
    }
  }

  /// The message as it stands in the text, from the head of its line on, with the rest of its words
  /// where they were wrapped.
  private func words(_ message: FoundMessage, with head: Bool) -> String {
    let line = text.lines[message.lines.lowerBound]
    var start = message.range.lowerBound
    if head, stands(alone: message, in: line) {
      start = line.body
    } else if start > 0, text.bytes[start - 1] == 0x5b {
      start -= 1
    }
    let end = text.lines[lines(of: message).upperBound].range.upperBound
    return text.text(start..<max(start, isLastOfLine ? end : message.range.upperBound))
  }

  /// Whether nothing but the driver's name stands between the line's body and the message.
  private func stands(alone message: FoundMessage, in line: LogText.Line) -> Bool {
    message.range.lowerBound >= line.body && message.range.lowerBound - line.body <= 48
      && !text.bytes[line.body..<message.range.lowerBound].contains(0x5d)
  }

  /// The lines of a message, with those that only hold the end of its wrapped words.
  private func lines(of message: FoundMessage) -> ClosedRange<Int> {
    var last = message.lines.upperBound
    // Prose may follow a line that was copied without its timestamp.
    let first = text.lines[message.lines.lowerBound]
    guard isLastOfLine, first.hasPrefix || message.lines.count > 1 else { return message.lines }
    for _ in 0..<2 {
      guard last + 1 < text.lines.count,
        text.bytes[text.lines[last].range.upperBound] == LogText.soft
      else { break }
      last += 1
    }
    return message.lines.lowerBound...last
  }
}
