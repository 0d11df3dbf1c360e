// SPDX-License-Identifier: Apache-2.0

internal import Memory
public import RemappingState
internal import Translation
internal import VTd

/// The report as a page.
public struct ReportPage {
  private let rules: [RuleText]
  private let context: PageContext
  /// Rows of lists that are written in all.
  var rowBudget = 20_000

  /// - Parameters:
  ///   - rules: what the rules state; findings link to it.
  ///   - context: what is shown beside the document.
  public init(rules: [RuleText], context: PageContext = PageContext()) {
    self.rules = rules
    self.context = context
  }

  public func write(_ document: ReportDocument, to sink: any ByteSink) throws(OutputError) {
    let page = HTMLPage(sink, rowBudget: rowBudget, tables: context.tables)
    let state = document.state
    let used = Set(document.findings.map(\.rule) + document.notJudged.map(\.rule))
    let texts = rules.filter { used.contains($0.id) }
    let taken = Taken(document, from: page)
    page.targets = PageTargets(state, rules: Set(texts.map(\.id)), context, taken: taken)
    let parts = ReportParts(page: page, document: document, texts: texts, taken: taken)
    func count(_ number: Int) -> String { Quantity.grouped(UInt64(number)) }
    var sections: [HTMLPage.Section] = [
      .init(id: "summary", title: "Summary", body: parts.summary)
    ]
    if document.deviceView != nil {
      sections.append(.init(id: "device", title: "The device", body: parts.deviceView))
    }
    sections += [
      .init(
        id: "findings", title: "Findings", count: count(document.findings.count),
        body: parts.findings),
      .init(id: "topology", title: "Topology", body: parts.topology),
      .init(id: "units", title: "Units", count: count(state.units.count), body: parts.units),
      .init(
        id: "contexts", title: "Contexts", count: count(state.contexts.count), body: parts.contexts
      ),
      .init(
        id: "domains", title: "Domains", count: count(state.domains.count), body: parts.domains),
      .init(
        id: "devices", title: "Devices", count: count(state.devices.count), body: parts.devices),
      .init(
        id: "regions", title: "Reserved regions", count: count(state.reservedRegions.count),
        body: parts.regions),
      .init(id: "memory", title: "Memory", body: parts.memory),
    ]
    if let faults = state.faults {
      sections.append(
        .init(
          id: "faults", title: "Faults in the log", count: count(max(0, faults.count)),
          body: { parts.faults(faults) }))
    }
    if let tables = TablePart(page: page, context: context).section { sections.append(tables) }
    sections += [
      .init(
        id: "missing", title: "Missing or odd",
        count: count(state.observations.count + document.notJudged.count), body: parts.missing),
      .init(id: "rules", title: "Rules", count: count(texts.count), body: parts.rules),
    ]
    let dump = state.dump
    try page.write(
      title: dump.file,
      subtitle: [
        dump.release, dump.panic, dump.crashTime.map(Quantity.time),
      ].compactMap(\.self).joined(separator: " \u{b7} "),
      tool: document.tool, schema: ReportDocument.outline.schema, sections: sections)
  }
}

extension ReportPage {
  /// Rows that links lead to, taken from the page's budget before the first link is written.
  struct Taken {
    var findings: Int
    var units: Int
    var contexts: Int
    var domains: Int
    var devices: Int

    init(_ document: ReportDocument, from page: HTMLPage) {
      findings = page.take(document.findings.count)
      units = page.take(document.state.units.count)
      contexts = page.take(document.state.contexts.count)
      domains = page.take(document.state.domains.count)
      devices = page.take(document.state.devices.count)
    }
  }
}

/// The sections of a report's page.
struct ReportParts {
  let page: HTMLPage
  let document: ReportDocument
  let texts: [RuleText]
  let taken: ReportPage.Taken

  var state: RemappingState { document.state }
  private var writer: HTMLWriter { page.writer }

  func summary() {
    let counts = Finding.Severity.allCases.map { severity in
      document.findings.count { $0.severity == severity }
    }
    let flying = state.domains.filter(\.inFlight)
    let bytes = flying.reduce(0 as UInt64) { $0.addingClamped($1.mapping?.bytes ?? 0) }
    let translating = state.units.count { $0.translationEnabled == true }
    page.cards {
      page.card("\(counts[0])", "errors", kind: counts[0] > 0 ? "error" : "ok", to: "findings")
      page.card("\(counts[1])", "warnings", kind: counts[1] > 0 ? "warning" : "ok", to: "findings")
      page.card("\(counts[2])", "notes", kind: "info", to: "findings")
      page.card(
        "\(translating) of \(state.units.count)", "units translate DMA",
        kind: translating == state.units.count ? "ok" : "warning", to: "units")
      page.card(
        flying.isEmpty
          ? (state.tablesAreComplete ? "nothing" : "unknown") : Quantity.iec(bytes) ?? "\(bytes) B",
        flying.isEmpty ? "in flight" : "in flight in " + Quantity.count(flying.count, "domain"),
        to: "domains")
      let faults = state.faults?.count
      page.card(
        faults.map { Quantity.grouped(UInt64(max(0, $0))) } ?? "unknown",
        "refused requests in the log", kind: (faults ?? 0) > 0 ? "error" : "",
        to: faults == nil ? nil : "faults")
    }
    page.list(ShownField.fields(of: state.dump))
    writer.open("dl")
    if let policy = StartUpWords(state).policy { page.term("came up", policy) }
    if let words = state.startUp?.commandLine {
      page.term(
        "command line of remapping", words.isEmpty ? "nothing" : words.joined(separator: " "))
    }
    page.term("faults", FaultWords.summary(state.faults))
    writer.close("dl")
    if let log = state.startUp?.log, !log.isEmpty {
      writer.open("details")
      writer.element("summary", "How units came up, in the kernel's words")
      for line in log { writer.element("p") { writer.element("code", line) } }
      writer.close("details")
    }
    if !state.handovers.isEmpty {
      page.rows(
        state.handovers, "live updates", prefix: "handovers",
        columns: ["stage", "compatible", "address"])
    }
  }

  func deviceView() {
    guard let view = document.deviceView else { return }
    page.list(ShownField.fields(of: view))
  }

  func findings() {
    if document.findings.isEmpty { page.paragraph("none", dim: true) }
    for (index, finding) in document.findings.prefix(taken.findings).enumerated() {
      writer.open(
        "article", [("class", finding.severity.rawValue), ("id", "findings-\(index)")])
      writer.open("h3")
      page.tag(finding.severity.rawValue, kind: finding.severity.rawValue)
      writer.text(" ")
      writer.link(finding.rule, to: page.targets.rule(finding.rule))
      if let unit = finding.unit {
        writer.text(" \u{b7} ")
        writer.link(unit, to: page.targets.unit(unit))
      }
      if let device = finding.device {
        writer.text(" \u{b7} ")
        writer.link("\(device)", to: page.targets.device("\(device)"))
        if let name = page.targets.name("\(device)", of: "device") {
          writer.element("span", [("class", "n")], name)
        }
      }
      writer.close("h3")
      page.paragraph(finding.message)
      if !finding.evidence.isEmpty {
        writer.open("details", [("class", "print")])
        writer.element("summary", "Evidence: \(finding.evidence.count)")
        writer.open("dl")
        for evidence in finding.evidence {
          writer.element("dt", evidence.what)
          writer.open("dd")
          if let address = evidence.address {
            writer.element("code") {
              writer.link(
                address.description, to: page.targets.tables.target(address.rawValue))
            }
            writer.text(" ")
          }
          writer.element("code", evidence.words.map(\.description).joined(separator: " "))
          if let context = state.contexts.prefix(taken.contexts).firstIndex(where: {
            $0.entry.rawValue == evidence.address?.rawValue
          }) {
            writer.text(" ")
            writer.link("its row", to: "contexts-\(context)")
          }
          writer.close("dd")
        }
        writer.close("dl")
        writer.close("details")
      }
      writer.close("article")
    }
    if taken.findings < document.findings.count {
      page.cut(document.findings.count - taken.findings)
    }
  }

  func topology() {
    let picture = TopologyPicture(
      state, findings: document.findings, targets: page.targets, rows: taken.domains)
    // That a device without a context is blocked holds behind a unit of VT-d alone.
    guard !picture.isEmpty, !state.units.isEmpty else {
      page.paragraph(UnitsText.absence(state), dim: true)
      return
    }
    picture.draw(to: writer)
    Picture.legend(TopologyPicture.legend, to: writer)
    if picture.left > 0 {
      page.paragraph(
        "\(Quantity.count(picture.left, "more device")) not drawn; the tables have them.",
        dim: true)
    }
  }

  func units() {
    page.rows(
      state.units, "units", prefix: "units",
      columns: [
        "name", "segment", "registerBase", "tableMode", "translationEnabled",
        "interruptRemappingEnabled", "rootTable", "rootFrom",
      ], taken: taken.units
    ) { index in
      writer.open("dl")
      for group in CapabilityWords(state.units[index]).groups {
        page.term(group.label, group.words.joined(separator: ", "))
      }
      writer.close("dl")
    }
  }

  func contexts() {
    page.rows(
      state.contexts, "contexts", prefix: "contexts",
      columns: [
        "unit", "device", "pasid", "translation", "domainID", "levels", "table", "entry",
      ], taken: taken.contexts
    ) { index in
      // Of a machine with thousands of devices, the command tells.
      if index < Self.decodedContexts { words(of: state.contexts[index]) }
    }
  }

  private static var decodedContexts: Int { 1024 }

  /// The words of an entry, decoded.
  private func words(of context: Context) {
    let raw = context.raw.map(\.rawValue)
    let mode = state.units.first { $0.name == context.unit }?.tableMode
    guard
      let layout = context.pasid != nil ? PASIDEntry.layout : mode?.contextLayout,
      raw.count * 64 > layout.map(\.bits.upperBound).max() ?? 0
    else { return }
    let entry = DecodedEntry(
      structure: "", address: context.entry, words: raw, layout: layout)
    writer.open("table")
    writer.element("caption", "The entry's words, decoded")
    writer.markup(
      "<thead><tr><th scope=\"col\">bits</th><th scope=\"col\">field</th>"
    )
    writer.markup(
      "<th scope=\"col\" class=\"num\">value</th><th scope=\"col\">meaning</th></tr></thead><tbody>"
    )
    for field in entry.fields {
      let isQuiet = field.name == "reserved" || field.name == "ignored"
      if isQuiet, field.value.rawValue == 0 { continue }
      writer.open("tr")
      page.cell(field.high == field.low ? "\(field.high)" : "\(field.high):\(field.low)")
      page.cell(field.name)
      page.cell(.word(field.value.rawValue), of: "value")
      page.cell(field.meaning)
      writer.close("tr")
    }
    writer.markup("</tbody></table>")
  }

  func devices() {
    page.rows(
      state.devices, "devices", prefix: "devices",
      columns: ["device", "pciID", "driver", "group", "unit", "domainID", "defaultDomainType"],
      taken: taken.devices)
  }

  func regions() {
    page.rows(
      state.reservedRegions, "reserved regions", prefix: "regions",
      columns: ["kind", "segment", "base", "end", "devices", "mapped"])
  }

  func memory() {
    let picture = MemoryPicture(state)
    if !picture.isEmpty {
      picture.draw(to: writer)
      Picture.legend(MemoryPicture.legend, to: writer)
    }
    if state.units.isEmpty { page.paragraph("In flight: " + UnitsText.inFlight(state)) }
    for unit in picture.unprotected {
      page.paragraph(
        "\(unit): devices with pass-through contexts, or all where translation is off, reach all of"
          + " memory beside what is drawn.")
    }
    page.rows(
      state.memoryMap, "regions of memory", prefix: "memory", columns: ["kind", "start", "end"])
  }

  func faults(_ faults: FaultSummary) {
    page.paragraph(FaultWords.summary(faults))
    if !faults.devices.isEmpty {
      page.rows(
        faults.devices, "devices whose requests were refused", prefix: "refused",
        columns: ["device", "reads", "writes", "interrupts"])
    }
    if !faults.messages.isEmpty {
      page.rows(
        faults.messages, "other messages", prefix: "messages", columns: ["kind", "count"])
    }
  }

  func missing() {
    page.rows(
      state.observations, "observations", prefix: "observations",
      columns: ["kind", "unit", "device", "domainID", "subject", "address", "detail", "count"])
    if !document.notJudged.isEmpty {
      page.rows(
        document.notJudged, "rules that were not judged", prefix: "unjudged",
        columns: ["rule", "reason"])
    }
  }

  func rules() {
    RulePart(page: page, texts: texts).body(
      of: document.findings, prefix: "findings", shown: taken.findings)
  }
}
