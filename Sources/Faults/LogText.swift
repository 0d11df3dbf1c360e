// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
internal import KernelImage

/// Text in which messages of a kernel stand, made ready for reading.
///
/// It may be the log of a dump, or what people paste: output of dmesg and journalctl, files of
/// syslog, serial consoles, mails in which lines were wrapped and quoted. Quote marks, escape
/// sequences of terminals and carriage returns are gone afterwards; a line end behind which the same
/// message goes on is told from one that ends a message.
struct LogText {
  /// One line as it stood in the text.
  struct Line: Hashable {
    /// Its bytes in `bytes`, without the byte that ends it.
    var range: Range<Int>
    /// Where the message begins, behind timestamps and names of the host.
    var body: Int
    /// Nanoseconds since boot; `nil` where the line tells no such time.
    var time: UInt64?
    /// Whether something that loggers put in front of messages stands there.
    var hasPrefix: Bool
    /// Whether Xen wrote it.
    var isXen: Bool

    var isBlank: Bool { body >= range.upperBound }
  }

  /// ASCII and UTF-8 without control bytes; lines end in `hard` or, where they were wrapped, `soft`.
  private(set) var bytes: [UInt8] = []
  private(set) var lines: [Line] = []

  /// Ends a message.
  static let hard: UInt8 = 0x0a
  /// Ends a line, but not the message.
  static let soft: UInt8 = 0x1f

  private static let longestLine = 1 << 15
  /// Lines that a message may be wrapped into.
  private static let mostWraps = 6
  private var wraps = 0

  /// What was pasted.
  init(_ text: some StringProtocol) {
    var source = Array(text.utf8).split(separator: 0x0a, omittingEmptySubsequences: false).map {
      Array($0)
    }
    // Quoted-printable mail breaks a line behind an equals sign.
    source = Self.joined(source)
    for line in source {
      // No message is as long as that; a text without line ends still is read in pieces.
      for start in stride(from: 0, to: max(1, line.count), by: Self.longestLine) {
        append(
          Array(line[min(start, line.count)..<min(start + Self.longestLine, line.count)]),
          time: nil, isMessage: false)
      }
    }
  }

  /// The messages of a log.
  init(_ messages: [LogMessage]) {
    for message in messages {
      let bytes = Array(message.text.utf8)
      // Nearly all of them are one line, which needs no copy.
      let lines = bytes.contains(0x0a) ? bytes.split(separator: 0x0a).map { Array($0) } : [bytes]
      for line in lines where !line.isEmpty {
        append(line, time: message.time, isMessage: true)
      }
    }
  }

  /// The index of the line that holds a byte.
  func line(at position: Int) -> Int {
    max(0, lines.partitioningIndex { $0.range.lowerBound > position } - 1)
  }

  /// The text between two positions, with blanks where lines were wrapped.
  func text(_ range: Range<Int>) -> String {
    let range = range.clamped(to: 0..<bytes.count)
    let plain = bytes[range].map { $0 == Self.soft || $0 == Self.hard ? 0x20 : $0 }
    let text = String(decoding: plain, as: UTF8.self)
    return text.split(separator: " ").joined(separator: " ")
  }

  private static func joined(_ lines: [[UInt8]]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var open: [UInt8]?
    for line in lines {
      var line = line
      if line.last == 0x0d { line.removeLast() }
      let whole = (open ?? []) + line
      if whole.last == 0x3d {
        open = Array(whole.dropLast())
      } else {
        open = nil
        result.append(whole)
      }
    }
    if let open { result.append(open) }
    return result
  }

  private mutating func append(_ source: [UInt8], time: UInt64?, isMessage: Bool) {
    var line = Self.plain(source)
    if !isMessage { line = Self.unquoted(line) }
    let start = bytes.count
    bytes += line
    let end = bytes.count
    var prefix = LinePrefix(line)
    if isMessage {
      prefix.time = time
      prefix.isFound = true
    }
    let row = Line(
      range: start..<end, body: start + prefix.length, time: prefix.time,
      hasPrefix: prefix.isFound, isXen: prefix.isXen)
    // The line end before this one is soft if this line goes on with that message.
    if let last = lines.indices.last, !row.hasPrefix, !row.isBlank, !lines[last].isBlank,
      wraps < Self.mostWraps, !MessageAnchor.begins(bytes[row.body..<end])
    {
      bytes[lines[last].range.upperBound] = Self.soft
      wraps += 1
    } else {
      wraps = 0
    }
    lines.append(row)
    bytes.append(Self.hard)
  }

  /// Without sequences for terminals; other control bytes and no-break spaces are blanks.
  private static func plain(_ source: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(source.count)
    var index = 0
    while index < source.count {
      let byte = source[index]
      if byte == 0x1b {
        index += 1
        // CSI: parameters, then one byte from 0x40 up.
        if index < source.count, source[index] == 0x5b {
          index += 1
          while index < source.count, source[index] < 0x40 { index += 1 }
        }
        index += 1
      } else if byte == 0xc2, index + 1 < source.count, source[index + 1] == 0xa0 {
        result.append(0x20)
        index += 2
      } else {
        result.append(byte < 0x20 || byte == 0x7f ? 0x20 : byte)
        index += 1
      }
    }
    while result.last == 0x20 { result.removeLast() }
    return result
  }

  /// Without the marks of quoted mail and of code in Markdown.
  private static func unquoted(_ line: [UInt8]) -> [UInt8] {
    var start = 0
    scan: while start < line.count {
      switch line[start] {
      case 0x20, 0x3e, 0x7c, 0x60: start += 1  // blank > | `
      case 0x26 where line[start...].starts(with: Array("&gt;".utf8)): start += 4
      default: break scan
      }
    }
    var rest = Array(line[start...])
    while rest.last == 0x60 || rest.last == 0x20 { rest.removeLast() }
    return rest
  }
}

/// What loggers put in front of a message.
///
/// Priorities `<6>`, times since boot `[   12.345678]`, with the caller's id `[  T123]` behind them,
/// times of day in brackets (dmesg -T), and everything up to `kernel:` (syslog, journal).
private struct LinePrefix {
  var length = 0
  var time: UInt64?
  var isFound = false
  var isXen = false

  init(_ line: [UInt8]) {
    var position = 0
    func skipBlanks() {
      while position < line.count, line[position] == 0x20 { position += 1 }
    }
    skipBlanks()
    while position < line.count {
      let rest = line[position...]
      if rest.starts(with: Array("(XEN)".utf8)) {
        isXen = true
        position += 5
      } else if line[position] == 0x3c, let close = Self.close(0x3e, rest, within: 5) {
        position = close + 1
      } else if line[position] == 0x5b, let close = Self.close(0x5d, rest, within: 32),
        let stamp = Self.stamp(line[(position + 1)..<close])
      {
        if let time = stamp.time { self.time = time }
        position = close + 1
      } else if let close = Self.openStamp(rest) {
        time = Self.nanoseconds(Substring(decoding: rest[..<close], as: UTF8.self)) ?? time
        position = close + 1
      } else if position == 0, let record = Self.kmsg(rest) {
        self.time = record.time
        position = record.end
      } else if let clock = Self.clock(rest) {
        position = clock
      } else if let kernel = Self.kernelTag(rest) {
        position = kernel
      } else {
        break
      }
      isFound = true
      skipBlanks()
    }
    length = position
  }

  private static func close(_ byte: UInt8, _ rest: ArraySlice<UInt8>, within limit: Int) -> Int? {
    rest.prefix(limit).firstIndex(of: byte)
  }

  /// What stands in brackets, if it is a time or a caller.
  private static func stamp(_ inside: ArraySlice<UInt8>) -> (time: UInt64?, Void)? {
    let text = String(decoding: inside, as: UTF8.self).split(separator: " ")
    guard let first = text.first else { return nil }
    if text.count == 1 {
      // `T123`, `C0`: the task or CPU that spoke.
      if first.count > 1, "TC".contains(first[first.startIndex]),
        first.dropFirst().allSatisfy(\.isNumber)
      {
        return (nil, ())
      }
      // `+0.012066`: since the line before.
      if first.hasPrefix("+") { return nanoseconds(first.dropFirst()).map { _ in (nil, ()) } }
      return nanoseconds(first).map { ($0, ()) }
    }
    // `Wed Jun  3 15:40:37 2026`
    guard text.count == 5, text[3].split(separator: ":").count == 3, Int(text[4]) != nil else {
      return nil
    }
    return (nil, ())
  }

  /// The head of a record of /dev/kmsg: `6,339,5140900,-;`, whose third number is in microseconds.
  private static func kmsg(_ rest: ArraySlice<UInt8>) -> (time: UInt64, end: Int)? {
    guard let end = rest.prefix(64).firstIndex(of: 0x3b) else { return nil }
    let fields = String(decoding: rest[..<end], as: UTF8.self).split(separator: ",")
    guard fields.count >= 4, UInt64(fields[0]) != nil, UInt64(fields[1]) != nil,
      let micro = UInt64(fields[2])
    else { return nil }
    let (time, overflow) = micro.multipliedReportingOverflow(by: 1000)
    return overflow ? nil : (time, end + 1)
  }

  /// The bracket behind `8.490171]`, as forums leave it where they swallow the one before.
  private static func openStamp(_ rest: ArraySlice<UInt8>) -> Int? {
    guard let close = close(0x5d, rest, within: 20), close > rest.startIndex,
      nanoseconds(Substring(decoding: rest[..<close], as: UTF8.self)) != nil
    else { return nil }
    return close
  }

  /// The position behind a time of day, `17:35:46` or `2022-06-30T10:00:00,123456+02:00`.
  private static func clock(_ rest: ArraySlice<UInt8>) -> Int? {
    let token = rest.prefix { $0 != 0x20 }.prefix(40)
    let text = String(decoding: token, as: UTF8.self)
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || ":.,+-TZ".utf8.contains($0) })
    else { return nil }
    let time = text.split(separator: "T").last ?? ""
    let parts = time.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count >= 3, parts[0].count == 2, parts[1].count == 2, parts[2].count >= 2,
      parts[2].prefix(2).allSatisfy(\.isNumber)
    else { return nil }
    return token.endIndex
  }

  private static func nanoseconds(_ text: Substring) -> UInt64? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let seconds = UInt64(parts[0]), (1...9).contains(parts[1].count),
      parts[1].allSatisfy({ $0.isASCII && $0.isNumber }),
      let fraction = UInt64(parts[1] + String(repeating: "0", count: 9 - parts[1].count))
    else { return nil }
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = whole.addingReportingOverflow(fraction)
    return overflow || carry ? nil : sum
  }

  /// The position behind `kernel:` or `kernel[123]:`, if it stands near the line's start.
  private static func kernelTag(_ rest: ArraySlice<UInt8>) -> Int? {
    let head = rest.prefix(96)
    let mark = Array("kernel".utf8)
    var start = head.startIndex
    while let candidate = head[start...].firstIndex(of: mark[0]) {
      start = candidate + 1
      guard head[candidate...].starts(with: mark) else { continue }
      var end = candidate + mark.count
      if end < head.endIndex, head[end] == 0x5b,
        let close = head[end...].firstIndex(of: 0x5d)
      {
        end = close + 1
      }
      guard end < head.endIndex, head[end] == 0x3a,
        candidate == head.startIndex || head[candidate - 1] == 0x20
      else { continue }
      return end + 1
    }
    return nil
  }
}
