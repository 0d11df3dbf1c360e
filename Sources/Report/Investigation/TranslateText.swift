// SPDX-License-Identifier: Apache-2.0

import Memory
import Translation

/// Translations for a reader at a terminal.
public struct TranslateText {
  public var color: Bool

  public init(color: Bool = false) {
    self.color = color
  }

  public func write(_ document: TranslateDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: nil, color: color)
    for (index, translation) in document.translations.enumerated() {
      if index > 0 { try page.blank() }
      try TranslationText(translation).write(to: page)
    }
    try page.finish(document.cuts)
  }
}

/// One translation: a heading, the entries, the answer.
struct TranslationText {
  let translation: AddressTranslation

  init(_ translation: AddressTranslation) { self.translation = translation }

  func write(to page: TextPage) throws(OutputError) {
    let pasid = translation.pasid.map { " PASID \($0)" } ?? ""
    try page.heading(
      "\(translation.device)\(pasid), IOVA \(translation.iova)"
        + (translation.unit.map { ", \($0)" } ?? ""))
    try writeEntries(to: page)
    try writeAnswer(to: page)
  }

  func writeEntries(to page: TextPage) throws(OutputError) {
    for entry in translation.entries { try EntryText(entry).writeLine(to: page) }
  }

  func writeAnswer(to page: TextPage) throws(OutputError) {
    switch translation.outcome {
    case .mapped, .passThrough, .untranslated:
      let target = translation.physical?.description ?? TextPage.unknown
      let size = translation.pageSize.map { ", page of \(Quantity.iec($0) ?? "\($0) bytes")" } ?? ""
      try page.field(
        "=> physical", "\(target), \(translation.access ?? TextPage.unknown)\(size)",
        labelStyle: .bold)
      if translation.outcome != .mapped { try page.field("", translation.detail) }
    case .notMapped:
      try page.field("=> not mapped", translation.detail, labelStyle: .red)
    case .noContext:
      try page.field("=> no context", translation.detail, labelStyle: .red)
    case .beyondWidth:
      try page.field("=> beyond width", translation.detail, labelStyle: .red)
    case .interrupt:
      try page.field("=> interrupt", translation.detail, labelStyle: .yellow)
    case .unreadable:
      try page.field("=> unreadable", translation.detail, labelStyle: .yellow)
    case .unknown:
      try page.field("=> unknown", translation.detail, labelStyle: .yellow)
    }
    if let read = translation.faultOnRead { try page.field("a read faults", read.description) }
    if let write = translation.faultOnWrite { try page.field("a write faults", write.description) }
    if translation.faultsSuppressed {
      try page.field("not reported", "FPD is set on the way, the unit keeps such faults to itself")
    }
  }
}

/// One entry: where it is, its words, and the fields that say something.
struct EntryText {
  let entry: DecodedEntry

  init(_ entry: DecodedEntry) { self.entry = entry }

  func writeLine(to page: TextPage) throws(OutputError) {
    let name = entry.level.map { "\(entry.structure) L\($0)" } ?? entry.structure
    let words = entry.raw.reversed().map { Self.padded($0.rawValue) }
    let mark = entry.assumedZero ? "  (hole of the dump, taken for zeros)" : ""
    try page.field(name, "at \(entry.address)\(mark)", labelWidth: 24)
    for pair in stride(from: 0, to: words.count, by: 2) {
      try page.field(
        pair == 0 ? "" : "", words[pair..<min(pair + 2, words.count)].joined(separator: " "),
        labelWidth: 24)
    }
    try page.field("", summary, labelWidth: 24)
  }

  /// The words bit by bit, and the fields below.
  func draw(to page: TextPage) throws(OutputError) {
    for index in entry.raw.indices.reversed() {
      let range = "\(64 * index + 63):\(64 * index)"
      try page.paragraph("[\(range)] \(Self.padded(entry.raw[index].rawValue))", indent: 4)
      // A word of zeros needs no drawing.
      guard entry.raw[index].rawValue != 0 else { continue }
      for line in BitPicture(entry).lines(word: index) {
        try page.verbatim(line, indent: 4)
      }
    }
    try writeFields(to: page)
  }

  /// Every field in a line of its own, but quiet ones that are zero.
  func writeFields(to page: TextPage) throws(OutputError) {
    for field in entry.fields {
      let isQuiet = field.name == "reserved" || field.name == "ignored"
      if isQuiet, field.value.rawValue == 0 { continue }
      let range = field.high == field.low ? "\(field.high)" : "\(field.high):\(field.low)"
      let value = field.value.rawValue
      let text = value < 10 ? "\(value)" : value.hexadecimal
      let meaning = field.meaning.isEmpty ? "" : " (\(field.meaning))"
      try page.field(
        "[\(range)] \(field.name)", text + meaning, indent: 4, labelWidth: 22,
        labelStyle: field.name == "reserved" ? .red : .plain)
    }
  }

  /// The fields that are not zero, from the highest down.
  var summary: String {
    let shown = entry.fields.filter { $0.value.rawValue != 0 }
    guard !shown.isEmpty else { return "all zero" }
    return shown.map { field in
      let value = field.value.rawValue
      let text = value < 10 ? "\(value)" : value.hexadecimal
      return "\(field.name)=\(text)"
    }.joined(separator: " ")
  }

  /// Sixteen digits in groups of four.
  static func padded(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    let all = Array(String(repeating: "0", count: 16 - digits.count) + digits)
    return "0x"
      + stride(from: 0, to: 16, by: 4).map { String(all[$0..<$0 + 4]) }.joined(separator: "_")
  }
}
