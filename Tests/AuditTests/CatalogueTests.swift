// SPDX-License-Identifier: Apache-2.0

import Foundation
import RemappingState
import Testing

@testable import Audit

/// The pages about findings are made of the rules' own comments; this holds them together.
struct CatalogueTests {
  static let command = "RECORD_CATALOGUE=1 swift test --filter CatalogueTests"

  @Test func theCatalogueIsUpToDate() throws {
    try check("Documentation/Findings.md", Catalogue(rules).markdown)
  }

  @Test func theManualPageIsUpToDate() throws {
    try check("man/iommuscope-findings.7", Catalogue(rules).manual)
  }

  @Test func theProgramKnowsTheTexts() throws {
    try check("Sources/Audit/Audit+Texts.swift", Catalogue(rules).table)
    #expect(Audit.texts.map(\.id) == Audit.rules.map { $0.id })
    for (text, rule) in zip(Audit.texts, rules) {
      #expect(text.paragraphs == rule.comment, "\(rule.id)")
      #expect(text.severity.rawValue == rule.severity)
    }
  }

  @Test func everyRuleSaysWhereItComesFromAndHowBadItIs() {
    for rule in rules {
      #expect(Catalogue.subjects.contains { $0.name == rule.subject }, "\(rule.id)")
      #expect(rule.comment.last?.contains("Severity:") == true, "\(rule.id)")
      #expect(rule.comment.first?.hasSuffix(".") == true, "\(rule.id)")
      // A rule may grade its findings; its declared severity is the worst it speaks of.
      #expect(rule.comment.last?.contains("Severity: \(rule.severity)") == true, "\(rule.id)")
    }
  }

  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../..").standardized

  private var rules: [Catalogue.Rule] {
    Audit.rules.map { rule in
      let path = Self.root.appending(path: "Sources/Audit/Rules/\(rule).swift")
      let text = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
      return Catalogue.Rule(
        id: rule.id, severity: rule.severity.rawValue,
        comment: Catalogue.comment(of: "struct \(rule)", in: text))
    }
  }

  /// Compares with a file of the repository, or writes it anew.
  private func check(_ path: String, _ text: String) throws {
    let file = Self.root.appending(path: path)
    if ProcessInfo.processInfo.environment["RECORD_CATALOGUE"] != nil {
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    let kept = try? String(contentsOf: file, encoding: .utf8)
    #expect(kept == text, "\(path) is stale; run: \(Self.command)")
  }
}

/// What the rules' comments say, as pages.
struct Catalogue {
  struct Rule {
    var id: String
    var severity: String
    /// Paragraphs; the first is the rule, the last its source and severity.
    var comment: [String]

    /// `device`, `domain`, ….
    var subject: String { String(id.prefix { $0 != "." }) }
  }

  var rules: [Rule]

  init(_ rules: [Rule]) { self.rules = rules }

  /// The documentation comment in front of a declaration, as paragraphs of one line.
  static func comment(of declaration: String, in text: String) -> [String] {
    var lines: [Substring] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("///") {
        lines.append(line.dropFirst(3).drop { $0 == " " })
      } else if line.hasPrefix(declaration) {
        return lines.split(separator: "").map { $0.joined(separator: " ") }
      } else {
        lines.removeAll()
      }
    }
    return []
  }

  fileprivate static let subjects: [(name: String, title: String)] = [
    ("unit", "Remapping units"), ("device", "Devices"),
    ("context", "Context and PASID entries"), ("domain", "Domains and their tables"),
    ("iova", "IOVA allocators"), ("region", "Reserved regions"),
    ("interrupts", "Interrupt remapping"), ("queue", "Invalidation queues"),
    ("handover", "Live updates"), ("registers", "Registers read beside the dump"),
    ("log", "What the kernel log tells"), ("dump", "The dump itself"),
    ("kernel", "The kernel's structures"),
  ]

  private func byID(_ subject: String) -> [Rule] {
    rules.filter { $0.subject == subject }.sorted { $0.id < $1.id }
  }

  var markdown: String {
    var text = """
      # Findings

      What `iommuscope report` may find, by subject. A finding is an **error** where DMA goes wrong or memory
      is exposed, a **warning** where a state should not be, an **info** where something is worth knowing. The
      severity below is the worst that the rule gives. Ids are stable.

      This page is made of the rules' own comments in `Sources/Audit/Rules`.


      """
    for subject in Self.subjects {
      let rules = byID(subject.name)
      guard !rules.isEmpty else { continue }
      text += "## \(subject.title)\n\n"
      for rule in rules {
        text += "### `\(rule.id)`: \(rule.severity)\n\n"
        for paragraph in rule.comment { text += Self.wrapped(paragraph, 100) + "\n\n" }
      }
    }
    while text.hasSuffix("\n\n") { text.removeLast() }
    return text
  }

  var manual: String {
    var text = """
      .\\" SPDX-License-Identifier: Apache-2.0
      .TH IOMMUSCOPE-FINDINGS 7 "2026-11-25" "iommuscope" "iommuscope manual"
      .SH NAME
      iommuscope-findings \\- what the audit of a remapping state may find
      .SH DESCRIPTION
      .BR "iommuscope report" (1)
      and
      .B iommuscope diff
      tell findings: sentences about a state, each with the id of its rule, a severity and the bytes that it
      rests on.
      A finding is an
      .B error
      where DMA goes wrong or memory is exposed, a
      .B warning
      where a state should not be, an
      .B info
      where something is worth knowing.
      The severity below is the worst that the rule gives.
      Ids are stable.

      """
    for subject in Self.subjects {
      let rules = byID(subject.name)
      guard !rules.isEmpty else { continue }
      text += ".SH \(subject.title.uppercased())\n"
      for rule in rules {
        text += ".TP\n.BR \(Self.roff(rule.id)) \" (\(rule.severity))\"\n"
        for (index, paragraph) in rule.comment.enumerated() {
          if index > 0 { text += ".IP\n" }
          for line in Self.wrapped(Self.roff(paragraph), 100).split(separator: "\n") {
            // A line that begins like a request is none.
            text += (line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" : "") + line + "\n"
          }
        }
      }
    }
    return text + ".SH SEE ALSO\n.BR iommuscope (1)\n"
  }

  /// A table of the program.
  var table: String {
    var text = """
      // SPDX-License-Identifier: Apache-2.0

      public import RemappingState

      extension Audit {
        /// What the rules state, in their order; made of their own comments by
        /// `\(CatalogueTests.command)`.
        public static let texts: [RuleText] = [

      """
    for rule in rules {
      text += "    RuleText(\n      \"\(rule.id)\", .\(rule.severity),\n      \"\"\"\n"
      let paragraphs = rule.comment.map { paragraph in
        Self.wrapped(paragraph.replacing("\\", with: "\\\\"), 92).split(separator: "\n")
          .map { "      " + $0 }.joined(separator: "\n")
      }
      text += paragraphs.joined(separator: "\n\n") + "\n      \"\"\"),\n"
    }
    return text + "  ]\n}\n"
  }

  private static func roff(_ text: String) -> String {
    var text = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
    // Code is set in bold, without its quotation marks.
    while let open = text.firstIndex(of: "`") {
      text.replaceSubrange(open...open, with: "\\fB")
      guard let close = text.firstIndex(of: "`") else { break }
      text.replaceSubrange(close...close, with: "\\fR")
    }
    return text
  }

  private static func wrapped(_ text: String, _ width: Int) -> String {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.utf8.count + 1 + word.utf8.count > width {
        lines.append(line)
        line = ""
      }
      line += line.isEmpty ? String(word) : " " + word
    }
    if !line.isEmpty { lines.append(line) }
    return lines.joined(separator: "\n")
  }
}
