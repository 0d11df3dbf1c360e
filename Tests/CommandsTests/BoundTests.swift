// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Commands

/// Limits on the command line: what ends there, and that every document says so.
struct BoundTests {
  private static let sample = SampleTests.sample("6.1-legacy.vmcore")

  /// Every verb that prints a document, with what it needs besides the dump.
  static let verbs: [[String]] = [
    ["report", sample], ["inherit", sample], ["diff", sample, sample],
    ["translate", sample, "--device", "00:02.0", "0xffefa000"], ["owners", sample, "0x2f98f000"],
    ["faults", sample], ["tables", sample], ["tables", sample, "--device", "00:02.0"],
    ["history", sample], ["carve", sample],
  ]

  private func cuts(_ arguments: [String]) throws -> [[String: Any]]? {
    let run = SampleTests.run(arguments + ["--format", "json"])
    #expect(run.status != .failed, "\(run.errors)")
    let document = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
    return document?["cuts"] as? [[String: Any]]
  }

  @Test(arguments: verbs)
  func `an honest dump has no cuts`(_ verb: [String]) throws {
    #expect(try cuts(verb)?.isEmpty == true)
  }

  @Test(arguments: verbs)
  func `every document says what was cut`(_ verb: [String]) throws {
    let cuts = try #require(try cuts(verb + ["--max-entries", "400"]))
    #expect(!cuts.isEmpty)
    for cut in cuts {
      #expect(Set(cut.keys) == ["what", "unit", "device", "limit", "detail"])
      #expect(cut["limit"] as? Int == 400 || cut["what"] as? String == "revisits")
    }
  }

  @Test(arguments: verbs)
  func `every text says what was cut`(_ verb: [String]) {
    let run = SampleTests.run(verb + ["--max-entries", "400"])
    #expect(run.output.contains("NOT ALL WAS LOOKED AT"))
    #expect(run.output.contains("--max-entries"))
  }

  @Test func `the kernel's structures end where the objects end, and rules are not judged`() {
    let run = SampleTests.run(["report", Self.sample, "--max-objects", "50"])
    #expect(run.status == .done)
    #expect(run.output.contains("--max-objects"))
    #expect(run.output.contains("not judged"))
  }

  @Test func `text that is too long ends with a line that says so`() {
    for form in [["tables", Self.sample, "--format", "debugfs"], ["report", Self.sample]] {
      let run = SampleTests.run(form + ["--max-output", "1000"])
      #expect(run.status == .done)
      #expect(run.output.utf8.count < 1200)
      #expect(run.output.hasSuffix("(--max-output).\n"))
    }
  }

  @Test func `a document that is too long is an error, and no file appears`() throws {
    let scratch = try ScratchDirectory()
    let run = SampleTests.run([
      "report", Self.sample, "--format", "json", "--max-output", "1000", "--output",
      scratch.file("report.json"),
    ])
    #expect(run.status == .failed)
    #expect(run.errors.contains("--max-output"))
    #expect(scratch.names.isEmpty)
  }

  @Test func `no limit and nonsense`() {
    #expect(
      SampleTests.run(["report", Self.sample, "--max-entries", "0", "--max-runs", "0"]).status
        == .done)
    let run = SampleTests.run(["report", Self.sample, "--max-entries", "-1"])
    #expect(run.status == .usage)
  }
}
