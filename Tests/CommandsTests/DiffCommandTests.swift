// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import MemoryFixtures
import RemappingState
import Report
import StateFixtures
import Testing

@testable import Commands

struct DiffCommandTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// A file in a folder of its own.
  private func file(_ text: String) throws -> String {
    try folder.write(text.utf8, to: "\(UUID().uuidString)/side")
  }

  private func report(_ state: RemappingState, findings: [Finding] = []) throws -> String {
    let sink = MemorySink()
    try ReportDocument(state: state, findings: findings).writeJSON(to: sink)
    return try file(sink.text)
  }

  @Test func aReportStandsInForItsDump() throws {
    let dump = try file("KDUMP")
    let run = CommandRun("diff", try report(.sample), dump)
    #expect(run.status == .done)
    #expect(run.output.contains("result            equal\n"))
    #expect(run.errors.isEmpty)
  }

  @Test func differentStatesAre1() throws {
    var state = RemappingState.sample
    state.contexts.removeFirst()
    let old = try report(.sample)
    let run = CommandRun("diff", old, try report(state))
    #expect(run.status == .found)
    #expect(run.output.contains("gone      dmar0 0000:00:02.0: second-stage, domain-id 5"))
    let json = CommandRun("diff", old, try report(state), "--format", "json")
    #expect(json.status == .found)
    #expect(json.output.hasPrefix("{\n  \"schema\": \"iommuscope-diff/1\",\n"))
  }

  @Test func findingsOfAReportAreCarriedOver() throws {
    let finding = Finding(rule: "old.rule", severity: .warning, message: "as it was written")
    let run = CommandRun("diff", try report(.sample), try report(.sample, findings: [finding]))
    #expect(run.status == .found)
    #expect(run.output.contains("new warning       old.rule: as it was written"))
  }

  @Test(arguments: [
    "{\"schema\": \"iommuscope-report/2\"}", "{\"schema\": \"iommuscope-diff/1\"}", "{", "{}",
    " \n {\"schema\": \"iommuscope-report/1\"}",
    "{\"schema\":" + String(repeating: "[", count: 100_000),
  ])
  func otherDocumentsAre2(_ text: String) throws {
    let run = CommandRun("diff", try file(text), try report(.sample))
    #expect(run.status == .failed)
    #expect(run.output.isEmpty)
    #expect(run.errors.split(separator: "\n").count == 1)
  }

  @Test func failOnAsksForNewFindingsAlone() throws {
    var state = RemappingState.sample
    state.contexts.removeFirst()
    let error = Finding(rule: "some.rule", severity: .error, message: "it broke")
    let warning = Finding(rule: "some.rule", severity: .warning, message: "it may break")
    func status(_ old: [Finding], _ new: [Finding], _ threshold: String) throws -> Outcome {
      CommandRun(
        "diff", try report(.sample, findings: old), try report(state, findings: new), "--fail-on",
        threshold
      ).status
    }
    // Different, but nothing got worse.
    #expect(try status([], [], "warning") == .done)
    #expect(try status([error], [error], "error") == .done)
    #expect(try status([error], [], "warning") == .done)
    #expect(try status([], [error], "error") == .found)
    #expect(try status([], [warning], "error") == .done)
    #expect(try status([], [warning], "warning") == .found)
    #expect(try status([warning], [error], "error") == .found)
  }

  @Test func moreOfTheSameFaultsIsNewToo() throws {
    func side(_ reads: Int, _ others: Int) -> RemappingState {
      var state = RemappingState.sample
      state.faults = FaultSummary(
        devices: [.init(device: PCIFunction(bus: 0, devfn: 0x20), reads: reads)],
        messages: [.init(kind: .failure, count: others)])
      return state
    }
    let finding = Finding(rule: "log.faults", severity: .error, message: "refused")
    func status(_ new: RemappingState, _ threshold: String) throws -> Outcome {
      CommandRun(
        "diff", try report(side(2, 1), findings: [finding]), try report(new, findings: [finding]),
        "--fail-on", threshold
      ).status
    }
    #expect(try status(side(2, 1), "warning") == .done)
    #expect(try status(side(1, 1), "warning") == .done)
    #expect(try status(side(3, 1), "error") == .found)
    #expect(try status(side(2, 2), "error") == .done)
    #expect(try status(side(2, 2), "warning") == .found)
  }

  @Test func movedRangesAreFolded() throws {
    var state = RemappingState.sample
    for index in state.domains.indices where state.domains[index].domainID == 5 {
      state.domains[index].mapping?.runs[1].physical = 0x8_0000_0000
    }
    let (old, new) = (try report(.sample), try report(state))
    let folded = CommandRun("diff", old, new)
    #expect(folded.status == .found)
    #expect(folded.output.contains("1 range moved"))
    #expect(folded.output.contains("--physical"))
    #expect(!folded.output.contains("0x800000000"))
    let whole = CommandRun("diff", old, new, "--physical")
    #expect(whole.output.contains("0x800000000"))
    #expect(!whole.output.contains("--physical"))
  }

  @Test func aMissingFileIs2() throws {
    let run = CommandRun("diff", "/nonexistent/side", try report(.sample))
    #expect(run.status == .failed)
    #expect(run.errors.contains("No such file"))
  }

  @Test func anUnreadableDumpIs2() throws {
    let run = CommandRun("diff", try report(.sample), try file("ELF"), state: nil)
    #expect(run.status == .failed)
  }

  @Test func theSchemaIsPrinted() {
    #expect(CommandRun("schema", "diff").output == DiffDocument.jsonSchema)
  }
}
