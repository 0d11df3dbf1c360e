// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import VTd

/// Finds everything that a text tells about remapping units.
///
/// Messages are known by words that they begin with, anywhere in a line, so that several of them in
/// one line are all found.
///
/// Source: drivers/iommu/intel/dmar.c (`dmar_fault`, `dmar_fault_do_one`, `qi_dump_fault`,
/// `qi_check_fault`), iommu.c (`__domain_mapping`, `dmar_fault_dump_ptes`, `dmar_parse_one_rmrr`),
/// prq.c and svm.c (`prq_event_thread`, `handle_bad_prq_event`) of Linux 3.10 to 7.2;
/// xen/drivers/passthrough/vtd/iommu.c (`iommu_page_fault_do_one`).
struct MessageFinder {
  let text: LogText
  private(set) var found: [FoundMessage] = []

  init(_ text: LogText) {
    self.text = text
    var position = 0
    while position < text.bytes.count {
      // The message ends at the next hard line end.
      let end = text.bytes[position...].firstIndex(of: LogText.hard) ?? text.bytes.count
      search(position, end)
      position = end + 1
    }
  }

  private mutating func search(_ start: Int, _ end: Int) {
    var position = start
    var isWord = false
    while position < end {
      let byte = text.bytes[position]
      if !isWord, let anchors = MessageAnchor.byFirstByte[LogScanner.lower(byte)] {
        if let message = match(anchors, at: position, lineStart: start, end) {
          found.append(message)
          position = max(position + 1, message.range.upperBound)
          isWord = false
          continue
        }
      }
      isWord = byte >= 0x80 || MessageAnchor.isLetter(byte)
      position += 1
    }
  }

  private func match(
    _ anchors: [MessageAnchor], at position: Int, lineStart: Int, _ end: Int
  ) -> FoundMessage? {
    for anchor in anchors {
      var scanner = LogScanner(text.bytes, from: position, to: end)
      guard scanner.words(anchor.words),
        let content = content(anchor.form, &scanner, head: lineStart..<position)
      else { continue }
      let last = max(position, scanner.position - 1)
      return FoundMessage(
        content: content, lines: text.line(at: position)...text.line(at: last),
        range: position..<scanner.position)
    }
    return nil
  }

  private func content(
    _ form: MessageAnchor.Form, _ scanner: inout LogScanner, head: Range<Int>
  ) -> FoundMessage.Content? {
    switch form {
    case .request(let kind):
      return FaultLine(&scanner, kind, isXen: isXen(head)).map { .fault($0) }
    case .reason: return ReasonLine(&scanner, isInterrupt: isInterrupt(head)).map { .reason($0) }
    case .xenReason:
      guard isXen(head) else { return nil }
      return ReasonLine(xen: &scanner, isInterrupt: isInterrupt(head)).map { .reason($0) }
    case .suppressed:
      guard let count = scanner.number().flatMap({ Int(exactly: $0.value) }),
        scanner.words("callbacks suppressed")
      else { return nil }
      return .suppressed(count)
    case .hang: return .hang
    case .waiting: return .waiting
    case .foreign(let source):
      scanner.skipLine()
      return .unit(.foreign(source), unit: nil)
    case .unit(let read):
      guard let message = read(&scanner, text, head) else { return nil }
      return .unit(message, unit: unit(head, scanner.position))
    }
  }

  /// The name `dmar0` in front of a message or in its words.
  private func unit(_ head: Range<Int>, _ end: Int) -> String? {
    let words = String(decoding: text.bytes[head.lowerBound..<end], as: UTF8.self)
      .split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
    return words.last {
      $0.hasPrefix("dmar") && $0.count > 4 && $0.count < 9 && $0.dropFirst(4).allSatisfy(\.isNumber)
    }.map(String.init)
  }

  private func isXen(_ head: Range<Int>) -> Bool {
    text.lines[text.line(at: head.lowerBound)].isXen || MessageAnchor.contains("[VT-D]", text, head)
  }

  private func isInterrupt(_ head: Range<Int>) -> Bool {
    MessageAnchor.contains("INTR-REMAP", text, head)
  }
}

/// The reason of a fault, in a line of its own.
struct ReasonLine: Hashable {
  var reason: FaultReason
  var isInterrupt: Bool

  /// Behind `[fault reason`.
  init?(_ scanner: inout LogScanner, isInterrupt: Bool) {
    guard let number = scanner.number(), let code = UInt8(exactly: number.value),
      scanner.mark("]")
    else { return nil }
    self.init(FaultReason(code), isInterrupt)
  }

  /// Behind Xen's `reason`, whose digits are hexadecimal.
  init?(xen scanner: inout LogScanner, isInterrupt: Bool) {
    guard let number = scanner.hexadecimal(), let code = UInt8(exactly: number),
      scanner.mark("-")
    else { return nil }
    self.init(FaultReason(code), isInterrupt)
  }

  private init(_ reason: FaultReason, _ isInterrupt: Bool) {
    self.reason = reason
    self.isInterrupt = isInterrupt || reason.isInterruptRemapping
  }
}
