// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory
import RemappingState
import StateFixtures
import Testing

@testable import Survey

/// What a state comes to among many.
struct SurveyedDumpTests {
  private static func finding(_ rule: String, _ severity: Finding.Severity) -> Finding {
    Finding(rule: rule, severity: severity, message: "x")
  }

  @Test func aRowCountsWhatTheStateHolds() {
    let state = RemappingState.sample
    let row = SurveyedDump(
      file: "vmcore", state: state,
      findings: [
        Self.finding("device.context-missing", .error),
        Self.finding("device.context-missing", .error), Self.finding("dump.filtered", .info),
      ], forecast: nil)
    #expect(row.units?.count == state.units.count)
    #expect(
      row.units?.modes
        == TableMode.allCases.filter { mode in
          state.units.contains { $0.tableMode == mode }
        })
    #expect(row.inFlight?.domains == state.domains.count { $0.inFlight })
    #expect(row.findings == .init(errors: 2, warnings: 0, notes: 1))
    #expect(row.rules.map(\.rule) == ["device.context-missing", "dump.filtered"])
    #expect(row.rules.map(\.count) == [2, 1])
    #expect(row.drivers.reduce(0) { $0 + $1.devices } == state.devices.count)
    #expect(row.crashKernel == nil)
  }

  @Test func whatTablesThatWereNotReadHoldIsNotNothing() {
    var state = RemappingState(dump: DumpSummary(file: "", format: "elf", typesFrom: "btf"))
    func transfers() -> Int? {
      SurveyedDump(file: "", state: state, findings: [], forecast: nil).inFlight?.domains
    }
    #expect(transfers() == 0)
    state.observations = [
      Observation(.otherDriver, structure: .kernel(.otherUnit, number: "ivhd0"))
    ]
    #expect(transfers() == nil)
    state.observations = [Observation(.unreadable, structure: .kernel(.unitList))]
    #expect(transfers() == nil)
  }

  @Test func anAddressSpaceThatDevicesShareCountsOnce() {
    var state = RemappingState(dump: DumpSummary(file: "", format: "elf"))
    let object = KernelAddress(0xffff_8880_0000_1000)
    state.devices = ["0000:00:02.0", "0000:00:03.0"].map {
      Device(device: DeviceName($0), driver: "nvme", domain: object)
    }
    var domain = Domain(unit: "dmar0", domainID: 2)
    domain.kernelObject = object
    domain.mapping = Mapping(leaves: 3, bytes: 12288, runs: [])
    let states: [IOVARange.State] = [.live, .unmapped, .unmapped, .cached]
    domain.iova = IOVASpace(
      allocated: states.enumerated().map {
        let start = IOVirtualAddress(UInt64($0.offset) << 12)
        return IOVARange(start: start, end: start, state: $0.element)
      }, unallocated: [])
    var twin = domain
    twin.unit = "dmar1"
    state.domains = [domain, twin]
    let row = SurveyedDump(file: "", state: state, findings: [], forecast: nil)
    #expect(
      row.drivers == [
        .init(
          driver: "nvme", devices: 2, mappedBytes: 12288, leaves: 3, nodes: 4, unmappedNodes: 2,
          hasErrors: false)
      ])
  }

  @Test(arguments: [
    ("BUG: unable to handle page at ffff88801234", "BUG: unable to handle page at #"),
    ("sysrq triggered crash", "sysrq triggered crash"),
    ("Fatal exception in interrupt 0x1f, CPU 12", "Fatal exception in interrupt #, CPU #"),
    ("hung_task: blocked tasks dead beef", "hung_task: blocked tasks dead beef"),
    ("", ""),
  ])
  func numbersDoNotTellCrashesApart(_ message: String, _ pattern: String) {
    #expect(SurveyedDump.pattern(of: message) == pattern)
  }
}

/// Which comes first, and which belong together.
struct SurveyRankingTests {
  private static func row(
    _ file: String, answer: Outlook.Answer? = .probably, verdict: Verdict = .safe,
    errors: Int = 0, warnings: Int = 0, faults: Int = 0, time: Int? = nil, panic: String? = nil,
    rules: [String] = []
  ) -> SurveyedDump {
    var row = SurveyedDump(file: file)
    row.crashKernel = answer.map {
      .init(answer: $0, verdict: verdict, concerns: [], faulting: 0)
    }
    row.findings = .init(errors: errors, warnings: warnings, notes: 0)
    row.faults = faults
    row.crashTime = time
    row.panic = panic
    row.pattern = panic.map(SurveyedDump.pattern(of:))
    row.crash = panic.flatMap { panic in time.map { "6.1 \($0) \(panic)" } }
    row.rules = rules.map { .init(rule: $0, severity: .error, count: 1) }
    return row
  }

  @Test func theWorstComesFirst() {
    let rows = [
      Self.row("no", answer: .no), Self.row("doubtful", answer: .doubtful),
      Self.row("errors", errors: 2), Self.row("error", errors: 1, warnings: 9),
      Self.row("unsafe", verdict: .unsafe), Self.row("faults", faults: 100),
      Self.row("warning", warnings: 1), Self.row("newer", time: 20), Self.row("older", time: 10),
      Self.row("a"), Self.row("b"), Self.row("no kernel", answer: nil),
      SurveyedDump(file: "failed", failure: .init(.notRead, "x")),
    ]
    for shift in rows.indices {
      let shuffled = rows[shift...] + rows[..<shift]
      #expect(shuffled.sorted(by: SurveyedDump.isWorse).map(\.file) == rows.map(\.file))
    }
  }

  @Test func copiesOfOneCrashAreAGroup() throws {
    let rows = [
      Self.row("vmcore", time: 5, panic: "BUG at 1"),
      Self.row("extract", time: 5, panic: "BUG at 1"),
      Self.row("other", time: 6, panic: "hung"),
    ]
    let groups = SurveyGroup.groups(of: rows)
    let group = try #require(groups.first)
    #expect(groups.count == 1)
    #expect(group.kind == .sameCrash)
    #expect(group.files == ["vmcore", "extract"])
    #expect(group.panic == "BUG at 1")
  }

  @Test func crashesThatAreAlikeAreAGroup() throws {
    let rows = [
      Self.row("a", time: 1, panic: "BUG at 0x10", rules: ["x.y", "x.z"]),
      Self.row("b", time: 2, panic: "BUG at 0x20", rules: ["x.z", "x.y"]),
      Self.row("c", time: 3, panic: "BUG at 0x30", rules: ["x.y"]),
      Self.row("d", time: nil, panic: nil),
      SurveyedDump(file: "e", failure: .init(.notRead, "x")),
    ]
    let groups = SurveyGroup.groups(of: rows)
    #expect(groups.map(\.files) == [["a", "b"]])
    #expect(groups.first?.panic == "BUG at #")
    #expect(groups.first?.rules == ["x.y", "x.z"])
  }
}
