// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Commands

/// Whole texts of the verbs on the samples, compared with what was recorded.
///
/// Re-recorded with `RECORD_GOLDEN=1 swift test --filter SampleGoldenTests`; read the difference
/// before you commit it.
struct SampleGoldenTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var arguments: [String]
    var testDescription: String { name }

    /// What is compared one by one: lines, or words where the text names the sample's file, whose
    /// path is longer in some clones and wraps the line elsewhere.
    func lines(_ text: String) -> [Substring] {
      name.hasPrefix("inherit") || name.hasPrefix("diff")
        ? text.split(whereSeparator: \.isWhitespace)
        : text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    init(_ name: String, _ verb: String, _ samples: [String], _ options: String...) {
      self.name = name
      arguments = [verb] + samples.map(SampleTests.sample) + options
    }
  }

  private static let old = "6.1-legacy.vmcore"
  private static let new = "7.3-scalable.vmcore"

  static let cases = [
    Case(
      "tables-6.1-debugfs", "tables", [old], "--format", "debugfs", "--file",
      "dmar_translation_struct"),
    Case(
      "tables-7.3-debugfs", "tables", [new], "--format", "debugfs", "--file",
      "dmar_translation_struct"),
    Case(
      "tables-6.1-interrupts", "tables", [old], "--format", "debugfs", "--file",
      "ir_translation_struct"),
    Case("translate-6.1", "translate", [old], "--device", "00:03.0", "0xfed1c000", "0x12345000"),
    Case("translate-7.3", "translate", [new], "--device", "00:02.0", "0xfffff000"),
    Case("owners-6.1", "owners", [old], "0xfed1c000-0xfed1c0ff", "0x20d76000"),
    Case(
      "faults-6.1", "faults", [old], "--line",
      "DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x12345000 "
        + "[fault reason 0x05] PTE Write access is not set"),
    Case("carve-6.1", "carve", [old]),
    Case("carve-7.3", "carve", [new]),
    Case("history-6.1", "history", [old], "--limit", "6"),
    Case("inherit-6.1", "inherit", [old], "--policy", "linux"),
    Case("inherit-6.1-brief", "inherit", [old], "--crash-command-line", "quiet iommu=pt"),
    Case("inherit-7.3", "inherit", [new], "--policy", "full-copy"),
    Case("diff", "diff", [old, new], "--ignore-physical", "--limit", "3"),
  ]

  @Test(arguments: cases)
  func isAsRecorded(_ test: Case) throws {
    let run = SampleTests.run(test.arguments)
    #expect(run.status == .done || run.status == .found)
    let text = run.output.replacing(SampleTests.root, with: "")
    #expect(!text.isEmpty)
    let golden = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Golden/\(test.name).txt")
    if ProcessInfo.processInfo.environment["RECORD_GOLDEN"] != nil {
      try Data(text.utf8).write(to: golden)
      return
    }
    let expected = String(decoding: try Data(contentsOf: golden), as: UTF8.self)
    let lines = test.lines(text)
    let wanted = test.lines(expected)
    for (number, (line, want)) in zip(lines, wanted).enumerated() where line != want {
      Issue.record("line or word \(number + 1): expected \(want), found \(line)")
      return
    }
    #expect(lines.count == wanted.count)
  }

  @Test func theAnswerOfInheritFitsTwoScreens() {
    for sample in [Self.old, Self.new] {
      let text = SampleTests.run(["inherit", SampleTests.sample(sample)]).output
      #expect(text.hasPrefix("Will the crash kernel get through? Probably.\n"))
      #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 100)
    }
  }

  @Test func inheritRefusesDriversThatTheDumpDoesNotKnow() {
    let unknown = SampleTests.run([
      "inherit", SampleTests.sample(Self.old), "--crash-drivers", "nvme,megaraid_sas",
    ])
    #expect(unknown.status == .usage)
    #expect(unknown.output.isEmpty)
    let device = SampleTests.run([
      "inherit", SampleTests.sample(Self.old), "--crash-drivers", "00:1e.0",
    ])
    #expect(device.status == .usage)
    #expect(
      SampleTests.run(["inherit", SampleTests.sample(Self.old), "--crash-drivers", "nvme"]).status
        == .done)
  }

  @Test func inheritFailsOnWhatItIsAskedFor() {
    func status(_ options: String...) -> Outcome {
      SampleTests.run(["inherit", SampleTests.sample(Self.old)] + options).status
    }
    #expect(status("--fail-on", "risky") == .found)
    #expect(status("--fail-on", "unsafe") == .done)
    // Translation off while devices run.
    #expect(status("--fail-on", "unsafe", "--policy", "disable") == .found)
    #expect(status("--fail-on", "unsafe", "--crash-command-line", "intel_iommu=off") == .found)
  }

  @Test(
    arguments: cases.filter { !$0.name.hasSuffix("debugfs") && !$0.name.contains("interrupts") })
  func fits100Columns(_ test: Case) {
    for line in SampleTests.run(test.arguments).output.split(separator: "\n") {
      // The path of the sample is as long as the clone's folder is deep.
      #expect(line.replacing(SampleTests.root, with: "").count <= 100, "\(line)")
    }
  }
}
