// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import RemappingState
import StateFixtures
import Testing

@testable import Report

/// Findings as SARIF, held against what the standard says of the objects that are used.
struct SARIFLogTests {
  typealias Object = [String: Any]

  private static let rules = [
    RuleText(
      "device.context-missing", .error, "Every device has one.\n\nSource: x. Severity: error."),
    RuleText("domain.shared-page", .warning, "No page is shared."),
  ]

  private static func finding(
    _ rule: String, _ severity: Finding.Severity = .error, device: String? = "0000:00:02.0",
    address: UInt64 = 0x1000
  ) -> Finding {
    Finding(
      rule: rule, severity: severity, unit: "dmar0", device: device.map { DeviceName($0) },
      message: "at \(HexWord(address))",
      evidence: [
        Evidence(what: "context entry", address: HexWord(address), words: [1, 2]),
        Evidence(what: "struct dmar_domain", address: 0xffff_8880_1234_5678),
      ])
  }

  private static func run(_ findings: [Finding], file: String = "vmcore") throws -> Object {
    var state = RemappingState.sample
    state.dump.file = file
    let sink = MemorySink()
    try SARIFLog(
      ReportDocument(
        state: state, findings: findings,
        notJudged: [UnjudgedRule(rule: "domain.shared-page", reason: "no tables")]), rules: rules
    ).write(to: sink)
    let log = try #require(try JSONSerialization.jsonObject(with: Data(sink.bytes)) as? Object)
    #expect(log["version"] as? String == "2.1.0")
    return try #require((log["runs"] as? [Object])?.first)
  }

  @Test func `what was cut is a notification`() throws {
    var state = RemappingState.sample
    state.cuts = [
      Cut(what: .entries, unit: "dmar0", limit: 9, detail: "the walk of domain-id 7")
    ]
    let sink = MemorySink()
    try SARIFLog(ReportDocument(state: state, findings: []), rules: Self.rules).write(to: sink)
    #expect(sink.text.contains("Not all was looked at: dmar0: the walk of domain-id 7"))
    #expect(sink.text.contains("--max-entries"))
  }

  private static func results(_ findings: [Finding]) throws -> [Object] {
    try #require(try run(findings)["results"] as? [Object])
  }

  private static func fingerprints(_ findings: [Finding]) throws -> [String] {
    try results(findings).map { result in
      try #require(
        (result["partialFingerprints"] as? [String: String])?["ruleAndSubject/v1"])
    }
  }

  @Test func everyResultPointsAtItsRule() throws {
    let run = try Self.run([
      Self.finding("domain.shared-page", .warning), Self.finding("device.context-missing"),
    ])
    let driver = try #require((run["tool"] as? Object)?["driver"] as? Object)
    let rules = try #require(driver["rules"] as? [Object])
    #expect(rules.map { $0["id"] as? String } == Self.rules.map(\.id))
    let results = try #require(run["results"] as? [Object])
    #expect(results.map { $0["ruleIndex"] as? Int } == [1, 0])
    #expect(results.map { $0["level"] as? String } == ["warning", "error"])
    let help = (rules[0]["help"] as? Object)?["text"] as? String
    #expect(help?.contains("Source: x.") == true)
  }

  @Test func aRuleOfALaterVersionHasItsIDAlone() throws {
    let results = try Self.results([Self.finding("unit.of-tomorrow")])
    #expect(results[0]["ruleIndex"] == nil)
    #expect(results[0]["ruleId"] as? String == "unit.of-tomorrow")
  }

  /// Two dumps of one fault have their tables, objects and counts in other places.
  @Test func fingerprintsHoldFromDumpToDump() throws {
    let once = try Self.fingerprints([
      Self.finding("device.context-missing"),
      Self.finding("device.context-missing", device: "0000:00:03.0"),
      Self.finding("domain.shared-page", device: nil),
    ])
    let again = try Self.fingerprints([
      Self.finding("domain.shared-page", device: nil, address: 0x7000),
      Self.finding("device.context-missing", device: "0000:00:03.0", address: 0x8000),
      Self.finding("device.context-missing", address: 0x9000),
    ])
    #expect(Set(once).count == 3)
    #expect(Set(once) == Set(again))
  }

  @Test func resultsThatShareAllAreCounted() throws {
    let prints = try Self.fingerprints(
      Array(repeating: Self.finding("device.context-missing"), count: 3))
    #expect(Set(prints).count == 3)
  }

  @Test func partsOfAFingerprintDoNotRunTogether() throws {
    func finding(_ unit: String, _ device: String) -> Finding {
      Finding(
        rule: "device.context-missing", severity: .error, unit: unit, device: DeviceName(device),
        message: "x")
    }
    let prints = try Self.fingerprints([finding("a|b", "c"), finding("a", "b|c")])
    #expect(prints[0] != prints[1])
  }

  @Test func addressesBeyondTheFormatsNumbersAreText() throws {
    let result = try Self.results([Self.finding("device.context-missing")])[0]
    let places = try #require(result["relatedLocations"] as? [Object])
    let addresses = places.map { ($0["physicalLocation"] as? Object)?["address"] as? Object }
    #expect(addresses[0]?["absoluteAddress"] as? Int == 0x1000)
    #expect(addresses[1]?["absoluteAddress"] == nil)
    #expect(addresses[1]?["fullyQualifiedName"] as? String == "0xffff888012345678")
  }

  @Test func namesOfFilesAreReferences() throws {
    let run = try Self.run([], file: "/var/crash/a b\u{1b}ä%:core")
    let artifact = (run["artifacts"] as? [Object])?.first
    #expect(
      (artifact?["location"] as? Object)?["uri"] as? String == "/var/crash/a%20b%1B%C3%A4%25%3Acore"
    )
  }

  @Test func whatWasNotJudgedIsSaid() throws {
    let run = try Self.run([])
    let invocation = try #require((run["invocations"] as? [Object])?.first)
    let notes = try #require(invocation["toolExecutionNotifications"] as? [Object])
    #expect(notes.count == 1)
    #expect((notes[0]["associatedRule"] as? Object)?["id"] as? String == "domain.shared-page")
    #expect(((notes[0]["message"] as? Object)?["text"] as? String)?.contains("no tables") == true)
  }
}
