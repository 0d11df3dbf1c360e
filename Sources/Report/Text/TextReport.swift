// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The report for a reader at a terminal: 100 columns of ASCII.
public struct TextReport {
  /// In the report's order, whatever the order of the wish.
  public var sections: Set<ReportSection>
  /// Rows per list; `nil` for all.
  public var limit: Int?
  public var color: Bool

  public init(
    sections: Set<ReportSection> = Set(ReportSection.allCases), limit: Int? = 20,
    color: Bool = false
  ) {
    self.sections = sections
    self.limit = limit
    self.color = color
  }

  public func write(_ document: ReportDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: limit, color: color)
    var isFirst = true
    for section in ReportSection.allCases where sections.contains(section) {
      if !isFirst { try page.blank() }
      isFirst = false
      try page.heading(section.title)
      let state = document.state
      switch section {
      case .summary: try SummaryText(document).write(to: page)
      case .units: try UnitsText(state).write(to: page)
      case .contexts: try ContextsText(state).write(to: page)
      case .domains: try DomainsText(state).write(to: page)
      case .devices: try DevicesText(state).write(to: page)
      case .reserved: try ReservedRegionsText(state).write(to: page)
      case .memory: try MemoryText(state).write(to: page)
      case .iova: try AllocatorText(state).write(to: page)
      case .interrupts: try InterruptsText(state).write(to: page)
      case .findings: try FindingsText(document.findings, dump: state.dump.file).write(to: page)
      case .missing: try MissingText(document).write(to: page)
      }
    }
    try page.finish(document.state.cuts)
  }
}

extension TextPage {
  /// Stands for `null`.
  static let unknown = "-"

  /// The command that decodes what stands at an address of the list above.
  func decoding(_ dump: String) throws(OutputError) {
    try paragraph(
      "decoded: " + ShellWords.line(["iommuscope", "tables", dump, "--at", "ADDRESS"]), indent: 2,
      hanging: 2, style: .cyan)
  }

  static func text(_ value: (some CustomStringConvertible)?) -> String {
    value?.description ?? unknown
  }
}

extension Domain {
  /// `dmar0 domain-id 5`.
  var label: String {
    let unit = unit ?? "no unit"
    return domainID.map { "\(unit) domain-id \($0)" } ?? "\(unit), no domain-id"
  }
}

extension Finding.Severity {
  var style: TextPage.Style {
    switch self {
    case .error: .red
    case .warning: .yellow
    case .info: .cyan
    }
  }
}
