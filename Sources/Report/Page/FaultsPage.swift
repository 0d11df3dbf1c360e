// SPDX-License-Identifier: Apache-2.0

internal import Faults
internal import Memory
public import RemappingState
internal import Translation

/// What a log tells of units, explained, as a page.
public struct FaultsPage {
  private let context: PageContext
  private let devices: [Device]

  /// - Parameters:
  ///   - context: what is shown beside the document.
  ///   - devices: of the crashed kernel, for their names.
  public init(context: PageContext = PageContext(), devices: [Device] = []) {
    self.context = context
    self.devices = devices
  }

  public func write(_ document: FaultsDocument, to sink: any ByteSink) throws(OutputError) {
    let page = HTMLPage(sink, tables: context.tables)
    page.targets = PageTargets(context, devices: devices)
    let parts = FaultsParts(page: page, document: document)
    let dump = document.dump
    func count(_ number: Int) -> String { Quantity.grouped(UInt64(number)) }
    try page.write(
      title: dump.file,
      subtitle: ["faults", dump.release, dump.panic].compactMap(\.self)
        .joined(separator: " \u{b7} "),
      tool: document.tool, schema: FaultsDocument.outline.schema,
      sections: [
        .init(id: "summary", title: "Summary", body: parts.summary),
        .init(id: "time", title: "Over time", body: parts.time),
        .init(
          id: "faults", title: "Refused requests", count: count(document.faults.count),
          body: parts.faults),
        .init(
          id: "messages", title: "Other messages", count: count(document.unitMessages.count),
          body: parts.messages),
        .init(id: "rules", title: "Rules", body: parts.rules),
      ] + [TablePart(page: page, context: context).section].compactMap(\.self))
  }
}

struct FaultsParts {
  let page: HTMLPage
  let document: FaultsDocument
  private var writer: HTMLWriter { page.writer }

  func summary() {
    let faults = document.faults.reduce(0) { $0.addingClamped($1.count) }
    page.cards {
      page.card(
        Quantity.grouped(UInt64(max(0, faults))), "refused requests",
        kind: faults > 0 ? "error" : "ok", to: "faults")
      page.card(
        "\(document.faults.count)", document.faults.count == 1 ? "kind of them" : "kinds of them",
        to: "faults")
      page.card("\(document.unitMessages.count)", "kinds of other messages", to: "messages")
      let devices = Set(document.faults.map(\.device)).count
      page.card("\(devices)", devices == 1 ? "device" : "devices", to: "faults")
    }
    if let log = document.log { page.list(ShownField.fields(of: log)) }
    if let given = document.given { page.list(ShownField.fields(of: given)) }
  }

  /// A bar a kind of fault, from its first to its last, thicker where there were more.
  func time() {
    let spans = document.faults.enumerated().compactMap { index, fault in
      Self.seconds(fault.first).map { first in
        (index, first, max(first, Self.seconds(fault.last) ?? first), fault.count)
      }
    }
    guard let start = spans.map(\.1).min(), let end = spans.map(\.2).max() else {
      page.paragraph("No fault has a time.", dim: true)
      return
    }
    let shown = spans.prefix(40)
    let span = max(end - start, 0.001)
    if let overTime = document.overTime { storm(overTime) }
    Picture.draw(
      "Faults over time",
      "From \(start) to \(end) seconds since boot, \(Quantity.count(spans.count, "kind")).",
      height: 34 + 24 * shown.count, to: writer
    ) { picture in
      for (row, (index, first, last, count)) in shown.enumerated() {
        let fault = document.faults[index]
        let y = 10 + 24.0 * Double(row)
        let left = 250 + 720 * (first - start) / span
        let right = 250 + 720 * (last - start) / span
        let thick = min(18, 8 + 2 * Double(64 - UInt64(max(1, count)).leadingZeroBitCount))
        let name = "\(fault.device) \(fault.diagnosis.first?.rule.rawValue ?? "unknown")"
        let words = "\(count) from \(first) to \(last) s"
        picture.link("faults-\(index)", "\(name): \(words)") {
          picture.text(Picture.fitting(name, 36), 0, y + 12, "s")
          picture.rectangle(
            left, y + 8 - thick / 2, max(6, right - left), thick,
            fault.kind == .write ? "removed" : fault.kind == .read ? "moved" : "access",
            title: words)
        }
        picture.text("\(count)", 998, y + 12, "s dimt", anchor: "end")
      }
      let y = 14 + 24.0 * Double(shown.count)
      picture.line(250, y, 970, y, "axis")
      picture.text("\(start) s", 250, y + 14, "m dimt")
      picture.text("\(end) s", 970, y + 14, "m dimt", anchor: "end")
    }
    Picture.legend(
      [("live", "all"), ("removed", "writes"), ("moved", "reads"), ("access", "interrupts")],
      to: writer)
    if shown.count < spans.count { page.cut(spans.count - shown.count) }
  }

  /// How many came when, over the same stretch of time as the kinds below.
  private func storm(_ overTime: FaultsOverTime) {
    guard let highest = overTime.counts.max(), highest > 0 else { return }
    let seconds = Double(overTime.step) / 1e9
    let length = seconds >= 0.1 ? "\(Self.tenths(seconds)) s" : "\(Self.tenths(seconds * 1000)) ms"
    let total = overTime.counts.reduce(0, +)
    Picture.draw(
      "Refused requests in each \(length)",
      "\(total) in \(Quantity.count(overTime.counts.count, "step")), at most \(highest) in one.",
      height: 92, to: writer
    ) { picture in
      picture.text("all, in each \(length)", 0, 48, "s")
      let width = 720 / Double(max(1, overTime.last - overTime.first)) * Double(overTime.step)
      for (place, count) in overTime.counts.enumerated() where count > 0 {
        let x = 250 + width * Double(place)
        let high = max(2, 66 * Double(count) / Double(highest))
        // The last step may reach beyond the last request.
        picture.rectangle(
          x, 78 - high, max(1, min(width, 970 - x) - 1), high, "live",
          title: "\(count) from \(Self.tenths(Double(place) * seconds)) s after the first on")
      }
      picture.line(250, 78, 970, 78, "axis")
      picture.text("\(highest)", 244, 20, "m dimt", anchor: "end")
      picture.line(246, 12, 250, 12, "axis")
    }
  }

  private static func tenths(_ value: Double) -> String { Picture.number(value) }

  private static func seconds(_ text: String?) -> Double? { text.flatMap { Double($0) } }

  func faults() {
    if document.faults.isEmpty { page.paragraph("none", dim: true) }
    let shown = page.take(document.faults.count)
    for (index, fault) in document.faults.prefix(shown).enumerated() {
      article("faults-\(index)", fault.severity, fault.diagnosis.first?.rule) {
        writer.element("p") { writer.element("code", fault.text) }
        for diagnosis in fault.diagnosis {
          writer.open("p")
          writer.link(diagnosis.rule.rawValue, to: "rule-\(diagnosis.rule.rawValue)")
          writer.text(": \(diagnosis.message)")
          writer.close("p")
          if !diagnosis.evidence.isEmpty {
            writer.open("ul")
            for line in diagnosis.evidence { writer.element("li", line) }
            writer.close("ul")
          }
          if let confirm = diagnosis.confirm { page.paragraph("To confirm: \(confirm)") }
        }
        everything(ShownField.fields(of: fault))
      } title: {
        writer.link(
          "\(fault.device)", to: nil, title: page.targets.name("\(fault.device)", of: "device"))
        writer.text(
          " \(fault.kind.rawValue)"
            + (fault.iova.map { " at \($0)" } ?? "")
            + (fault.count > 1 ? ", \(fault.count) times" : ""))
      }
    }
    if shown < document.faults.count { page.cut(document.faults.count - shown) }
  }

  func messages() {
    if document.unitMessages.isEmpty { page.paragraph("none", dim: true) }
    let shown = page.take(document.unitMessages.count)
    for (index, message) in document.unitMessages.prefix(shown).enumerated() {
      article("messages-\(index)", message.severity, nil) {
        writer.element("p") { writer.element("code", message.text) }
        page.paragraph(message.meaning)
        if !message.evidence.isEmpty {
          writer.open("ul")
          for line in message.evidence { writer.element("li", line) }
          writer.close("ul")
        }
        if let next = message.next { page.paragraph("Next: \(next)") }
        everything(ShownField.fields(of: message))
      } title: {
        writer.text(
          message.kind.rawValue + (message.count > 1 ? ", \(message.count) times" : ""))
      }
    }
    if shown < document.unitMessages.count { page.cut(document.unitMessages.count - shown) }
  }

  private func article(
    _ id: String, _ severity: Finding.Severity, _ rule: FaultExplanation.Rule?,
    _ body: () -> Void, title: () -> Void
  ) {
    writer.open("article", [("class", severity.rawValue), ("id", id)])
    writer.open("h3")
    page.tag(severity.rawValue, kind: severity.rawValue)
    writer.text(" ")
    title()
    writer.close("h3")
    body()
    writer.close("article")
  }

  private func everything(_ fields: [ShownField]) {
    writer.open("details")
    writer.element("summary", "everything that is known, and the tables on the way")
    page.list(fields)
    writer.close("details")
  }

  func rules() {
    let used = Set(document.faults.flatMap(\.diagnosis).map(\.rule))
    if used.isEmpty { page.paragraph("none was needed", dim: true) }
    writer.open("dl")
    for rule in FaultExplanation.Rule.allCases where used.contains(rule) {
      writer.element("dt", [("id", "rule-\(rule.rawValue)")], rule.rawValue)
      writer.element("dd", "\(rule.meaning)")
    }
    writer.close("dl")
  }
}
