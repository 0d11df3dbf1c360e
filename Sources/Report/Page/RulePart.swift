// SPDX-License-Identifier: Apache-2.0

internal import RemappingState

/// What the rules state that findings of a page name.
struct RulePart {
  let page: HTMLPage
  let texts: [RuleText]

  /// - Parameters:
  ///   - findings: whose rows have the ids `PREFIX-0` and on.
  ///   - prefix: begins the ids; `nil` where the rows are elsewhere.
  ///   - shown: how many of the rows there are.
  func body(of findings: [Finding], prefix: String?, shown: Int = 0) {
    let writer = page.writer
    if texts.isEmpty { page.paragraph("none was broken", dim: true) }
    for text in texts {
      writer.open("article", [("id", "rule-\(text.id)"), ("class", text.severity.rawValue)])
      writer.open("h3")
      page.tag(text.severity.rawValue, kind: text.severity.rawValue)
      writer.text(" \(text.id)")
      writer.close("h3")
      for paragraph in text.paragraphs { page.paragraph(paragraph) }
      let places = findings.indices.filter { findings[$0].rule == text.id }
      if let prefix, !places.isEmpty {
        writer.open("p")
        writer.text("Findings: ")
        for (number, place) in places.prefix(32).enumerated() {
          if number > 0 { writer.text(", ") }
          writer.link("\(place + 1)", to: place < shown ? "\(prefix)-\(place)" : nil)
        }
        if places.count > 32 { writer.text(" and \(places.count - 32) more") }
        writer.close("p")
      }
      writer.close("article")
    }
  }
}
