// SPDX-License-Identifier: Apache-2.0

import Faults
import Memory
import RemappingState
import Translation

/// Explained faults for a reader at a terminal.
public struct FaultsText {
  /// Faults shown; `nil` for all.
  public var limit: Int?
  public var color: Bool

  public init(limit: Int? = 20, color: Bool = false) {
    self.limit = limit
    self.color = color
  }

  public func write(_ document: FaultsDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: limit, color: color)
    var isFirst = try !writeHead(document, to: page)
    // What tells that a unit itself is in trouble comes before the requests that it refused.
    let grave = document.unitMessages.filter { $0.severity == .error }
    // A status word with each fault is how faults come; it says nothing more.
    let quiet = document.unitMessages.filter { $0.kind == .status && $0.severity == .info }
    let hidden = document.faults.isEmpty ? [] : quiet
    let rest = document.unitMessages.filter { $0.severity != .error && !hidden.contains($0) }
    if !hidden.isEmpty {
      let count = hidden.reduce(0) { $0 + $1.count }
      try page.paragraph(
        Quantity.count(
          count, "status word came with the faults and adds nothing",
          "status words came with the faults and add nothing"), indent: 2)
    }
    for message in grave.prefix(page.shown(grave.count)) {
      if !isFirst { try page.blank() }
      isFirst = false
      try UnitMessageText(message).write(to: page)
    }
    try page.cut(grave.count, "kinds of errors of units", indent: 2)
    for fault in document.faults.prefix(page.shown(document.faults.count)) {
      if !isFirst { try page.blank() }
      isFirst = false
      try write(fault, to: page)
    }
    try page.cut(document.faults.count, "kinds of faults", indent: 2)
    for message in rest.prefix(page.shown(rest.count)) {
      if !isFirst { try page.blank() }
      isFirst = false
      try UnitMessageText(message).write(to: page)
    }
    try page.cut(rest.count, "kinds of other messages", indent: 2)
    try page.finish(document.cuts)
  }

  /// - Returns: whether anything was written; one line that was given needs no head.
  private func writeHead(
    _ document: FaultsDocument, to page: TextPage
  ) throws(OutputError) -> Bool {
    if let log = document.log {
      let place = "in " + Quantity.count(log.messages, "log message")
      try page.heading(
        Self.counts(document, faults: log.faults, others: log.unitMessages, place: place))
      if log.suppressed > 0 {
        try page.paragraph(
          "the kernel left out \(log.suppressed) more fault messages", indent: 2, style: .yellow)
      }
      if let problem = log.problem {
        try page.paragraph(
          "the log is not complete: \(problem)", indent: 2, hanging: 2, style: .yellow)
      }
      return true
    }
    guard let given = document.given else { return false }
    let isPlain = given.faults + given.unitMessages == 1 && given.others == 0
    guard !isPlain || given.suppressed > 0 || given.reasonsAlone > 0 else { return false }
    let place = "in " + Quantity.count(given.lines, "line")
    try page.heading(
      Self.counts(document, faults: given.faults, others: given.unitMessages, place: place))
    if given.suppressed > 0 {
      try page.paragraph(
        "the kernel left out \(given.suppressed) more fault messages", indent: 2, style: .yellow)
    }
    if given.reasonsAlone > 0 {
      try page.paragraph(
        "\(Quantity.count(given.reasonsAlone, "reason")) without the line that it belongs to",
        indent: 2, style: .yellow)
    }
    if given.others > 0 {
      try page.paragraph(
        "\(Quantity.count(given.others, "line is", "lines are")) not about a remapping unit",
        indent: 2)
    }
    return true
  }

  /// `2 faults, 1 kind in 558 log messages, and 3 other messages about units`.
  private static func counts(
    _ document: FaultsDocument, faults: Int, others: Int, place: String
  ) -> String {
    let isGrave = document.unitMessages.contains { $0.severity == .error }
    let about = Quantity.count(others, "message about units", "messages about units")
    if faults == 0, isGrave { return "\(about), no refused request \(place)" }
    var text = Quantity.count(faults, "fault")
    if document.faults.count != faults {
      text += ", \(Quantity.count(document.faults.count, "kind"))"
    }
    text += " \(place)"
    if others > 0 {
      text +=
        ", and " + Quantity.count(others, "other message", "other messages")
        + " about units"
    }
    return text
  }

  private func write(_ fault: FaultExplanation, to page: TextPage) throws(OutputError) {
    try page.paragraph(fault.text, hanging: 2, style: .bold)
    if let when = Self.when(fault.count, fault.first, fault.last, fault.rate) {
      try page.field("when", when)
    }
    if fault.pages > 1, let first = fault.iova, let last = fault.lastIOVA {
      try page.field("range", "\(fault.pages) pages from \(first) to \(last); the first one:")
    }
    if let reason = fault.reason { try page.field("reason", reason.description) }
    var device = fault.device.description
    if fault.isKnownDevice == false, fault.aliasOf.isEmpty {
      device += ", no such device in this dump"
    } else {
      device +=
        fault.driver.map { ", driver \($0)" } ?? (fault.isKnownDevice == nil ? "" : ", no driver")
    }
    if let group = fault.group { device += ", group \(group)" }
    if let unit = fault.unit { device += ", \(unit)" }
    try page.field("device", device)
    if !fault.aliasOf.isEmpty {
      try page.field("alias of", page.list(fault.aliasOf.map(\.description)))
    }
    if let domain = fault.domain {
      try page.field(
        "domain",
        "\(domain.domainID.map { "domain-id \($0), " } ?? "")\(domain.type.rawValue), table "
          + TextPage.text(domain.table))
    }
    if let translation = fault.translation {
      let text = TranslationText(translation)
      try text.writeEntries(to: page)
      try text.writeAnswer(to: page)
    }
    if let entry = fault.interrupt { try EntryText(entry).writeLine(to: page) }
    if let stillFaults = fault.stillFaults {
      try page.field("in the dump", Self.now(fault, stillFaults))
    }
    if let run = fault.nearestBelow { try page.field("live below", Self.text(run)) }
    if let run = fault.nearestAbove { try page.field("live above", Self.text(run)) }
    if let allocator = fault.allocator {
      var text = allocator.state
      if let start = allocator.start, let end = allocator.end { text += ", \(start) to \(end)" }
      try page.field("IOVA allocator", text)
    }
    for diagnosis in fault.diagnosis {
      try page.field(
        "=> " + diagnosis.rule.rawValue, diagnosis.message, labelWidth: 22, labelStyle: .bold)
      for evidence in diagnosis.evidence { try page.field("   because", evidence, labelWidth: 22) }
      if let confirm = diagnosis.confirm {
        try page.field("   to confirm", confirm, labelWidth: 22)
      }
    }
    for excluded in fault.excluded { try page.field("   not", excluded, labelWidth: 22) }
  }

  /// What the tables of the dump do with the request.
  private static func now(_ fault: FaultExplanation, _ stillFaults: Bool) -> String {
    if stillFaults { return "the tables give this fault still" }
    let text = "the tables do not give this fault any more"
    let other =
      fault.kind == .read ? fault.translation?.faultOnRead : fault.translation?.faultOnWrite
    return other.map { text + "; they refuse the request with \($0.description)" } ?? text
  }

  /// `3 times, from 1.000000 s to 2.000000 s, 2.0 a second`; `nil` for one fault of no known time.
  static func when(_ count: Int, _ first: String?, _ last: String?, _ rate: String?) -> String? {
    guard let first else { return count > 1 ? "\(count) times" : nil }
    guard count > 1 else { return "at \(first) s" }
    var when = "\(count) times, from \(first) s to \(last ?? "?") s"
    if let rate { when += ", \(rate) a second" }
    return when
  }

  private static func text(_ run: Run) -> String {
    let end = IOVirtualAddress(run.iova.rawValue &+ (run.length.rawValue &- 1))
    return "\(run.iova) to \(end), \(run.access.rawValue), physical \(run.physical)"
  }
}

/// A message about a unit: the line, its words decoded, and what the dump says of it.
private struct UnitMessageText {
  let message: UnitExplanation

  init(_ message: UnitExplanation) { self.message = message }

  func write(to page: TextPage) throws(OutputError) {
    try page.paragraph(
      message.text, hanging: 2, style: message.severity == .error ? .red : .bold)
    if let when = FaultsText.when(message.count, message.first, message.last, nil) {
      try page.field("when", when)
    }
    if let device = message.device {
      try page.field(
        "device",
        device.description + (message.driver.map { ", driver \($0)" } ?? "")
          + (message.unit.map { ", \($0)" } ?? ""))
    } else if let unit = message.unit {
      try page.field("unit", unit)
    }
    try page.field(
      "=> " + message.kind.rawValue, message.meaning, labelWidth: 22, labelStyle: .bold)
    for entry in message.entries { try write(entry, to: page) }
    for evidence in message.evidence { try page.field("   because", evidence, labelWidth: 22) }
    if let next = message.next { try page.field("   next", next, labelWidth: 22) }
  }

  private func write(
    _ entry: UnitExplanation.Entry, to page: TextPage
  ) throws(OutputError) {
    var text = entry.logged.map(\.description).joined(separator: " ")
    if let now = entry.now {
      text +=
        now == entry.logged
        ? ", the same in the dump"
        : ", in the dump " + now.map(\.description).joined(separator: " ")
    }
    try page.field("   " + entry.name, text, labelWidth: 30)
    guard !entry.fields.isEmpty else { return }
    let fields = entry.fields.map { field in
      let value = field.value.rawValue
      return "\(field.name)=\(value < 10 ? "\(value)" : value.hexadecimal)"
    }
    try page.field("", fields.joined(separator: " "), labelWidth: 30)
  }
}
