// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import RemappingState
import Report
import StateFixtures
import Testing

struct TextReportTests {
  private func text(
    _ document: ReportDocument, sections: Set<ReportSection> = Set(ReportSection.allCases),
    limit: Int? = 20, color: Bool = false
  ) throws -> String {
    let sink = MemorySink()
    try TextReport(sections: sections, limit: limit, color: color).write(document, to: sink)
    return sink.text
  }

  private static let sample = ReportDocument(
    state: .sample,
    findings: [
      Finding(
        rule: "context.unknown-device", severity: .warning, unit: "dmar0", device: "0000:00:02.0",
        message:
          "the context leads to domain-id 5, and the kernel knows no such device nor any alias of "
          + "that number",
        evidence: [
          Evidence(what: "context entry", address: 0x10_3100, words: [0x30_0001, 0x502])
        ]),
      Finding(
        rule: "region.not-mapped", severity: .error, unit: nil, device: nil, message: "absent"),
    ])

  /// Compares with a file next to this one; `RECORD_GOLDEN=1 swift test` writes it anew.
  private func expectGolden(_ text: String, _ name: String) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "Golden/\(name)")
    if ProcessInfo.processInfo.environment["RECORD_GOLDEN"] != nil {
      try Data(text.utf8).write(to: file)
    }
    let expected = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    let have = text.split(separator: "\n", omittingEmptySubsequences: false)
    let want = expected.split(separator: "\n", omittingEmptySubsequences: false)
    let difference = have.difference(from: want).map { change in
      switch change {
      case .insert(_, let line, _): "+ " + line
      case .remove(_, let line, _): "- " + line
      }
    }
    #expect(difference.isEmpty, "\(name): \(difference.joined(separator: "\n"))")
  }

  @Test func rendersTheSample() throws {
    try expectGolden(try text(Self.sample), "sample.txt")
  }

  @Test func rendersAStateInTrouble() throws {
    var state = RemappingState.sample
    state.dump.typesFrom = "dwarf"
    state.units[0].translationEnabled = false
    state.units[0].interruptRemappingEnabled = nil
    state.units[0].ignored = true
    state.units[0].inherited = true
    state.units[0].copiedContexts = ["0000:00:02.0"]
    state.units[0].domainIDs.used = nil
    state.units[1].rootTable = nil
    state.units[1].rootFrom = nil
    state.contexts[0].faultProcessingDisabled = true
    state.contexts[1].translation = .nested
    state.contexts[1].secondStage = StageTable(table: 0x50_0000, levels: 3)
    state.domains[1].walk = WalkSummary(
      tables: 9, unreadable: 1, assumedEmpty: 2, cycles: 1, aliases: 3, reservedBits: 1,
      bytesOutsideMemory: 8192,
      budgetExhausted: true)
    state.domains[1].iova?.unallocated = [AddressRange(start: 0x1000, end: 0x2fff)]
    state.domains[2].mapping?.runs = []
    state.observations = [
      Observation(
        .unreadable, unit: "dmar0", device: "0000:00:02.0", domainID: 5,
        structure: Structure("second-stage table, level 1, IOVA 0x1000"), address: 0x30_5000,
        word: 0x30_5003,
        cause: .excluded,
        detail: "physical page 0x305000 is excluded by the dump's filter"),
      Observation(
        .malformed, structure: .kernel(.reservedRegionList), detail: "the list does not close",
        count: 3),
    ]
    let sections = Set(ReportSection.allCases).subtracting([.devices, .interrupts])
    try expectGolden(
      try text(ReportDocument(state: state, findings: []), sections: sections), "trouble.txt")
  }

  @Test func rendersAStateOfNothing() throws {
    let empty = RemappingState(dump: DumpSummary(file: "torn.vmcore", format: "elf"))
    try expectGolden(try text(ReportDocument(state: empty, findings: [])), "empty.txt")
  }

  @Test(arguments: [nil, 0, 1, 20], [false, true])
  func staysInsideTheLineWhateverTheDumpSays(_ limit: Int?, _ color: Bool) throws {
    let document = ReportDocument(
      state: .hostile,
      findings: [
        Finding(
          rule: String(repeating: "r", count: 200), severity: .error, unit: "\u{1b}]0;x\u{7}",
          device: .other(String(repeating: "\u{202e}", count: 90)),
          message: String(repeating: "word ", count: 100) + "\n\u{9b}",
          evidence: [
            Evidence(
              what: "\u{1b}", address: HexWord(.max),
              words: Array(repeating: HexWord(.max), count: 64))
          ])
      ])
    let text = try text(document, limit: limit, color: color)
    for line in text.split(separator: "\n") {
      let plain = line.replacing(/\u{1b}\[[0-9;]*m/, with: "")
      #expect(plain.utf8.count <= 100, "\(plain)")
      #expect(plain.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }, "\(plain)")
      #expect(plain.last != " ", "\(plain)")
    }
    if !color { #expect(!text.utf8.contains(0x1b)) }
  }

  @Test func printsOnlyTheSectionsThatAreAskedFor() throws {
    for section in ReportSection.allCases {
      let text = try text(Self.sample, sections: [section])
      let headings = text.split(separator: "\n").filter { $0.first?.isUppercase == true }
      #expect(headings.count == 1)
    }
    let both = try text(Self.sample, sections: [.findings, .summary])
    #expect(both.hasPrefix("SUMMARY"))
    #expect(both.contains("\n\nFINDINGS\n"))
  }

  @Test func saysWhatTheLimitHides() throws {
    let text = try text(Self.sample, sections: [.domains, .findings], limit: 1)
    #expect(text.contains("      ... 3 more of 4 runs; --limit 0 shows all\n"))
    #expect(text.contains("  ... 7 more of 8 domains; --limit 0 shows all\n"))
    #expect(text.contains("  ... 1 more of 2 findings; --limit 0 shows all\n"))
    #expect(try !self.text(Self.sample, limit: nil).contains("--limit"))
  }

  @Test func coloursOnlyWhenAsked() throws {
    let text = try text(Self.sample, sections: [.findings], color: true)
    #expect(text.hasPrefix("\u{1b}[1mFINDINGS\u{1b}[0m\n  \u{1b}[1;31merror\u{1b}[0m    region."))
  }

  @Test(arguments: [
    ("plain ~", "plain ~"), ("back\\slash", "back\\\\slash"), ("\n\r\t", "\\n\\r\\t"),
    ("\u{1b}[2J", "\\u{1b}[2J"), ("\u{7f}\u{9b}", "\\u{7f}\\u{9b}"), ("é", "\\u{e9}"),
    ("\u{202e}", "\\u{202e}"), ("\u{1f427}", "\\u{1f427}"), ("\r\n", "\\r\\n"),
  ])
  func escapesEverythingButPrintableASCII(_ text: String, _ expected: String) {
    #expect(Escaping.terminal(text) == expected)
  }
}
