// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Which dump, which kernel, and the verdict in one line.
struct SummaryText {
  let document: ReportDocument
  private var state: RemappingState { document.state }

  init(_ document: ReportDocument) { self.document = document }

  func write(to page: TextPage) throws(OutputError) {
    let dump = state.dump
    try page.field(
      "dump", "\(dump.file) (\(dump.format), pages of \(Quantity.bytes(size(dump.pageSize))))")
    if let contents { try page.field("it holds", contents) }
    var kernel = dump.release ?? "unknown release"
    if let buildID = dump.buildID { kernel += ", build id \(buildID)" }
    if let offset = dump.kaslrOffset { kernel += ", moved by \(offset)" }
    try page.field("kernel", kernel)
    try page.field("panic", dump.panic ?? noPanic)
    try page.field("crash time", dump.crashTime.map(Quantity.time) ?? "unknown")
    try page.field("types from", types(dump.typesFrom))
    if let startUp = state.startUp { try write(startUp, to: page) }
    try page.field("units", units)
    try page.field("in flight", inFlight)
    try page.field(
      "faults", FaultWords.summary(state.faults),
      labelStyle: (state.faults?.devices.isEmpty ?? true) ? .plain : .red)
    let count = state.observations.reduce(0) { $0.addingClamped($1.count) }
    try page.field(
      "missing or odd", count == 0 ? "nothing" : Quantity.count(count, "observation"))
    if !state.cuts.isEmpty {
      try page.field(
        "cut short", "\(Quantity.count(state.cuts.count, "place")) where not all was looked at",
        labelStyle: .yellow)
    }
    for handover in state.handovers { try write(handover, to: page) }
    try page.field("verdict", verdict, labelStyle: verdictStyle)
    for finding in gravest {
      var place = finding.rule
      if let subject = finding.device?.description ?? finding.unit { place += ", \(subject)" }
      try page.field(
        "  " + finding.severity.rawValue, "\(place): \(finding.message)",
        labelStyle: finding.severity.style)
    }
  }

  /// Errors and warnings that a reader should not have to look for; faults have a line of their own.
  private var gravest: some Sequence<Finding> {
    [Finding.Severity.error, .warning].flatMap { severity in
      document.findings.filter { $0.severity == severity && $0.rule != Self.faultRule }
    }.prefix(3)
  }

  private static let faultRule = "log.faults"

  /// A live update, and which domains it hands over.
  private func write(_ handover: Handover, to page: TextPage) throws(OutputError) {
    var text =
      handover.stage == .incoming
      ? "this kernel came out of one and has not finished it" : "this kernel has prepared one"
    text += ": \(Quantity.count(handover.units.count, "unit"))"
    text += ", \(Quantity.count(handover.domains.count, "domain"))"
    text += ", \(Quantity.count(handover.devices.count, "device"))"
    text += " (\(handover.compatible ?? "form unknown"))"
    try page.field("live update", text)
    let verb = handover.stage == .incoming ? "inherited" : "handed over"
    for domain in handover.domains.prefix(page.shown(handover.domains.count)) {
      let users = handover.devices.filter { $0.domain == domain.address }
      try page.field(
        "",
        "\(verb): table \(domain.table), \(domain.levels) levels, "
          + (users.isEmpty
            ? "of no device"
            : "of " + page.list(users.map { "\($0.device) (domain-id \($0.domainID))" })))
    }
    try page.cut(handover.domains.count, "domains", indent: 2)
  }

  /// Why there is no panic message: a log that nobody read is not one without it.
  private var noPanic: String {
    guard let faults = state.faults else { return "not known: no kernel log was read" }
    return faults.problem == nil
      ? "no panic message found" : "no panic message in what could be read of the log"
  }

  /// What of the machine's memory is in the file; `nil` where nothing tells.
  private var contents: String? {
    switch state.dump.contents {
    case nil: return nil
    case .all: return "every page (dump level 0)"
    case .filtered:
      let level = state.dump.dumpLevel ?? 0
      let kinds = Self.pageKinds.filter { level & $0.bit != 0 }.map(\.name)
      return "a filtered part of memory (dump level \(level)): without "
        + (kinds.isEmpty ? "pages of a kind that is not known" : kinds.joined(separator: ", "))
    case .extract:
      var text =
        "an extract: only the pages that iommuscope reads; every other page is missing for that"
        + " reason alone"
      if let level = state.dump.dumpLevel, level != 0 {
        let kinds = Self.pageKinds.filter { level & $0.bit != 0 }.map(\.name)
        text +=
          ". The dump that it was made of was filtered (dump level \(level)): without "
          + kinds.joined(separator: ", ")
      }
      return text
    }
  }

  /// Source: makedumpfile(8), `-d`.
  private static let pageKinds: [(bit: Int, name: String)] = [
    (1, "zero pages"), (2, "the page cache"), (4, "private pages of the page cache"),
    (8, "pages of processes"), (16, "free pages"),
  ]

  private func write(_ startUp: StartUp, to page: TextPage) throws(OutputError) {
    let words = startUp.commandLine.map { $0.isEmpty ? "nothing" : $0.joined(separator: " ") }
    try page.field(
      "command line", words.map { "says of remapping: \($0)" } ?? "could not be read")
    if let policy = StartUpWords(state).policy { try page.field("came up", policy) }
  }

  private func size(_ bytes: Int) -> UInt64 { UInt64(max(0, bytes)) }

  private func types(_ origin: String?) -> String {
    switch origin {
    case "dwarf": "DWARF"
    case "btf": "BTF"
    case let other?: other
    case nil: "nowhere: the kernel's structures could not be read, only the hardware's tables"
    }
  }

  private var units: String {
    guard !state.units.isEmpty else { return UnitsText.absence(state) }
    let translating = state.units.count { $0.translationEnabled == true }
    let remapping = state.units.count { $0.interruptRemappingEnabled == true }
    let unknown = state.units.count { $0.translationEnabled == nil }
    guard unknown < state.units.count else {
      return "\(unknown); whether they translate is not known"
    }
    return "\(state.units.count), of which \(translating) translate DMA and \(remapping) remap"
      + " interrupts" + (unknown > 0 ? "; of \(unknown) that is not known" : "")
  }

  private var inFlight: String {
    guard !state.units.isEmpty else { return UnitsText.inFlight(state) }
    let domains = state.domains.filter(\.inFlight)
    guard !domains.isEmpty else {
      return state.tablesAreComplete
        ? "no domain" : "not known: not all of the tables could be read"
    }
    let bytes = domains.reduce(0 as UInt64) { sum, domain in
      sum.addingClamped(domain.mapping?.bytes ?? 0)
    }
    return "\(Quantity.count(domains.count, "domain")), \(Quantity.bytes(bytes)) mapped"
      + (state.tablesAreComplete ? "" : ", and what tables hold that could not be read")
  }

  private var verdict: String {
    let counts = Finding.Severity.allCases.map { severity in
      document.findings.count { $0.severity == severity }
    }
    var text =
      counts.allSatisfy { $0 == 0 }
      ? "no finding"
      : [
        Quantity.count(counts[0], "error"), Quantity.count(counts[1], "warning"),
        Quantity.count(counts[2], "note"),
      ].joined(separator: ", ")
    let open = document.notJudged
    if !open.isEmpty {
      text += "; \(Quantity.count(open.count, "rule")) not judged: "
      var reasons: [String] = []
      for rule in open where !reasons.contains(rule.reason) { reasons.append(rule.reason) }
      text += reasons.joined(separator: "; ")
    }
    return text
  }

  private var verdictStyle: TextPage.Style {
    let worst = Finding.Severity.allCases.first { severity in
      document.findings.contains { $0.severity == severity }
    }
    return worst?.style ?? .bold
  }
}

extension FixedWidthInteger {
  /// The sum, or the largest value where it does not fit: counts in a report that was read back may
  /// be anything.
  func addingClamped(_ other: Self) -> Self {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
