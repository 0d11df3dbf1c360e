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
    if let log = document.log {
      let alike =
        document.faults.count == log.faults
        ? "" : ", \(Quantity.count(document.faults.count, "kind"))"
      try page.heading(
        "\(Quantity.count(log.faults, "fault"))\(alike) in "
          + Quantity.count(log.messages, "log message"))
      if log.suppressed > 0 {
        try page.paragraph(
          "the kernel left out \(log.suppressed) more fault messages", indent: 2, style: .yellow)
      }
      if let problem = log.problem {
        try page.paragraph(
          "the log is not complete: \(problem)", indent: 2, hanging: 2, style: .yellow)
      }
    }
    let shown = page.shown(document.faults.count)
    for (index, fault) in document.faults.prefix(shown).enumerated() {
      if index > 0 || document.log != nil { try page.blank() }
      try write(fault, to: page)
    }
    try page.cut(document.faults.count, "kinds of faults", indent: 2)
    try page.finish()
  }

  private func write(_ fault: FaultExplanation, to page: TextPage) throws(OutputError) {
    try page.paragraph(fault.text, hanging: 2, style: .bold)
    if let first = fault.first {
      var when = "at \(first) s"
      if fault.count > 1 {
        when = "\(fault.count) times, from \(first) s to \(fault.last ?? "?") s"
        if let rate = fault.rate { when += ", \(rate) a second" }
      }
      try page.field("when", when)
    }
    if let reason = fault.reason { try page.field("reason", reason.description) }
    var device = fault.device.description
    device += fault.driver.map { ", driver \($0)" } ?? ", no driver"
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
      try page.field(
        "in the dump",
        stillFaults
          ? "the tables give this fault still" : "the tables do not give this fault any more")
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
    }
  }

  private static func text(_ run: Run) -> String {
    let end = IOVirtualAddress(run.iova.rawValue &+ (run.length.rawValue &- 1))
    return "\(run.iova) to \(end), \(run.access.rawValue), physical \(run.physical)"
  }
}
