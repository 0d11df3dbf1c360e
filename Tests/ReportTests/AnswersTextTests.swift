// SPDX-License-Identifier: Apache-2.0

import Evidence
import Memory
import MemoryFixtures
import Owners
import RemappingState
import StateFixtures
import Testing

@testable import Report

/// What a report says first: what the file holds, how remapping came up, faults, what was not judged.
struct AnswersTextTests {
  private func summary(
    notJudged: [UnjudgedRule] = [], _ change: (inout RemappingState) -> Void = { _ in }
  ) throws -> String {
    try text([.summary], notJudged: notJudged, change)
  }

  private func text(
    _ sections: Set<ReportSection>, notJudged: [UnjudgedRule] = [],
    _ change: (inout RemappingState) -> Void
  ) throws -> String {
    var state = RemappingState.sample
    change(&state)
    let sink = MemorySink()
    try TextReport(sections: sections).write(
      ReportDocument(state: state, findings: [], notJudged: notJudged), to: sink)
    return sink.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  @Test func anExtractIsCalledOne() throws {
    let text = try summary {
      $0.dump.contents = .extract
      $0.dump.dumpLevel = 31
    }
    #expect(text.contains("it holds an extract: only the pages that iommuscope reads"))
    #expect(text.contains("was filtered (dump level 31): without zero pages, the page cache"))
  }

  @Test(arguments: [
    (
      31,
      "zero pages, the page cache, private pages of the page cache, pages of processes, free pages"
    ),
    (1, "zero pages"), (24, "pages of processes, free pages"),
    (0x40, "pages of a kind that is not known"),
  ])
  func aFilteredDumpSaysWhatItLacks(_ level: Int, _ kinds: String) throws {
    let text = try summary {
      $0.dump.contents = .filtered
      $0.dump.dumpLevel = level
    }
    #expect(
      text.contains(
        "it holds a filtered part of memory (dump level \(level)): without \(kinds) kernel"))
  }

  @Test func nothingIsSaidWhereNothingTells() throws {
    #expect(try !summary().contains("it holds"))
  }

  /// No message is found in a log that was read, and only there.
  @Test func aPanicThatNobodyLookedForIsNotMissing() throws {
    func summary(_ faults: FaultSummary?) throws -> String {
      try self.summary {
        $0.dump.panic = nil
        $0.faults = faults
      }
    }
    #expect(try summary(FaultSummary()).contains("panic no panic message found crash"))
    #expect(try summary(nil).contains("panic not known: no kernel log was read crash"))
    #expect(
      try summary(FaultSummary(problem: "page 0x1000 is not in the dump")).contains(
        "panic no panic message in what could be read of the log crash"))
  }

  /// What a root table alone does not tell is no number.
  @Test func aUnitThatIsOnlyARootTableHasNoCapabilities() throws {
    let text = try text([.units]) {
      $0.units = [
        Unit(
          name: "carved0", segment: 0, registerBase: PhysicalAddress(0), capability: 0,
          extendedCapability: 0, tableMode: .legacy,
          domainIDs: DomainIDs(supported: 0, used: nil))
      ]
    }
    #expect(text.contains("base not known"))
    #expect(text.contains("capabilities not known"))
    #expect(text.contains("domain-ids not known"))
  }

  @Test func faultsOfTheLogAreCounted() throws {
    #expect(try summary().contains("faults none in the log"))
    #expect(try summary { $0.faults = nil }.contains("faults not known: no kernel log was read"))
    let text = try summary {
      $0.faults = FaultSummary(
        devices: [
          .init(device: "0000:00:04.0", reads: 2, writes: 1),
          .init(device: "0000:00:05.0", interrupts: 1),
        ], messages: [.init(kind: .timeOut, count: 2)], suppressed: 7)
    }
    #expect(
      text.contains(
        "faults 4 refused requests in the log, from 0000:00:04.0 (2 reads, 1 write), 0000:00:05.0"
          + " (1 interrupt); 2 invalidation time-outs; 7 more messages that the kernel left out;"
          + " run `iommuscope faults`"))
  }

  @Test func whatWasNotJudgedIsPartOfTheVerdict() throws {
    let reason = "physical page 0x1000 is not part of this extract"
    let text = try summary(notJudged: [
      UnjudgedRule(rule: "log.faults", reason: reason),
      UnjudgedRule(rule: "log.unit-errors", reason: reason),
    ])
    #expect(text.hasSuffix("verdict no finding; 2 rules not judged: \(reason)"))
  }

  @Test func howRemappingCameUp() throws {
    let text = try summary { state in
      for index in state.devices.indices { state.devices[index].defaultDomainType = .dma }
      state.startUp = StartUp(
        commandLine: [], log: ["DMAR: Intel-IOMMU force enabled due to platform opt in"])
    }
    #expect(text.contains("command line says of remapping: nothing"))
    #expect(
      text.contains("came up strict (unmapped addresses are flushed at once) for every device"))
    #expect(text.contains("switched on because firmware opts in"))
  }

  @Test(
    arguments: [
      (
        ["intel_iommu=on", "intel_iommu=on,sm_on"],
        "no unit translates DMA, though the command line asks"
      ),
      (["intel_iommu=on", "iommu=off"], "no unit translates DMA, as the command line asks for"),
      (
        ["intel_iommu=on", "intel_iommu=off"],
        "no unit translates DMA, as the command line asks for"
      ),
      (["intel_iommu=off,on"], "no unit translates DMA, though the command line asks for it"),
      (["intel_iommu=sm_on", "iommu=pt"], "no unit translates DMA"),
      (nil, "no unit translates DMA"),
    ] as [([String]?, String)])
  func thatNothingTranslatesIsHeldAgainstTheCommandLine(_ words: [String]?, _ expected: String)
    throws
  {
    let text = try summary { state in
      state.startUp = StartUp(commandLine: words)
      for index in state.units.indices { state.units[index].translationEnabled = false }
    }
    #expect(text.contains(expected))
    #expect(!text.contains("legacy mode"))
    #expect(text.contains("DMA,") == expected.contains("DMA,"))
  }

  @Test func aMachineWithoutUnitsIsNoUnknownOne() throws {
    func summary(_ observations: [Observation] = []) throws -> String {
      try self.summary { state in
        state.startUp = StartUp(
          commandLine: ["intel_iommu=on"],
          log: ["x2apic: IRQ remapping doesn't support X2APIC mode"])
        state.units = []
        state.contexts = []
        state.domains = []
        state.devices = []
        state.observations = observations
      }
    }
    let none = try summary()
    #expect(none.contains("units none: the kernel's list is empty"))
    #expect(
      none.contains(
        "in flight nothing: for all that this kernel knows, every device reaches all of memory"))
    #expect(
      none.contains(
        "came up there is no unit that would translate DMA, though the command line asks for it"))
    #expect(!none.contains("interrupt remapping"))
    let other = try summary([
      Observation(.otherDriver, structure: .kernel(.otherUnit, number: "ivhd0"))
    ])
    #expect(
      other.contains("units none of VT-d; another driver than VT-d's remaps DMA here (ivhd0)"))
    #expect(other.contains("in flight not known"))
    #expect(other.contains("came up another driver than VT-d's remaps DMA"))
    let lost = try summary([Observation(.unreadable, structure: .kernel(.unitList))])
    #expect(lost.contains("units none found in flight not known: no unit was found"))
  }

  /// The kernel says the first of the two lines also where nothing remaps interrupts.
  @Test(arguments: [
    ("x2apic: IRQ remapping doesn't support X2APIC mode", true, true),
    ("x2apic: IRQ remapping doesn't support X2APIC mode", false, false),
    ("DMAR-IR: Enabled IRQ remapping in xapic mode", false, true),
  ])
  func interruptRemappingIsNotGuessed(_ line: String, _ isOn: Bool, _ expected: Bool) throws {
    let text = try summary { state in
      state.startUp = StartUp(commandLine: [], log: [line])
      for index in state.units.indices { state.units[index].interruptRemappingEnabled = isOn }
    }
    #expect(text.contains("interrupt remapping without x2APIC") == expected)
  }

  @Test func oneUnitThatMayTranslateIsEnoughToSayNothing() throws {
    for state: Bool? in [true, nil] {
      let text = try summary {
        for index in $0.units.indices { $0.units[index].translationEnabled = false }
        $0.units[0].translationEnabled = state
      }
      #expect(!text.contains("no unit translates"))
    }
  }

  @Test func eachDeviceThatReachesAPageHasItsOwnDriver() throws {
    var state = RemappingState.sample
    state.contexts = []
    state.devices = []
    for index in state.units.indices { state.units[index].translationEnabled = false }
    let unit = try #require(state.units.first?.name)
    let index = OwnersIndex(
      state,
      untranslated: [
        unit: [
          Reach.Requester(device: "0000:00:00.0", pasid: nil, driver: nil),
          Reach.Requester(device: "0000:00:02.0", pasid: nil, driver: "e1000e"),
        ]
      ])
    let sink = MemorySink()
    try OwnersText().write(
      OwnersDocument(
        dump: state.dump,
        ranges: [
          .init(
            start: PhysicalAddress(0x7000), end: PhysicalAddress(0x7000), pages: [],
            reaches: index.reaches(PhysicalAddress(0x7000), PhysicalAddress(0x7000)))
        ], tablesComplete: true, cuts: []), to: sink)
    let rows = sink.text.split(separator: "\n").map {
      $0.split(whereSeparator: \.isWhitespace).prefix(3).joined(separator: " ")
    }
    #expect(rows.contains("0000:00:00.0 - \(unit)"))
    #expect(rows.contains("0000:00:02.0 e1000e \(unit)"))
    // Of the other units nobody knows who is behind them.
    #expect(rows.count { $0 == "any behind it" } == state.units.count - 1)
  }

  // MARK: Registers

  @Test func registersInWords() {
    let groups = CapabilityWords(0xd2_008c_222f_0686, 0x8000_0f00_0f4a).groups
    func words(_ label: String) -> [String] { groups.first { $0.label == label }?.words ?? [] }
    #expect(words("addresses").first == "at most 48 bits, 256 TiB")
    #expect(words("addresses").contains("second stage of 4 levels (48 bits, 256 TiB)"))
    #expect(words("interrupts").contains("remapped"))
    #expect(words("other").contains("65536 domain-ids"))
  }

  @Test func everyRegisterHasWords() {
    for bit in 0..<64 as Range<UInt64> {
      for groups in [CapabilityWords(1 << bit, 0).groups, CapabilityWords(0, 1 << bit).groups] {
        for group in groups { #expect(!group.words.contains("")) }
      }
    }
  }

  @Test func twoUnitsDifferInWords() {
    // MGAW of 48 and 39 bits, and SAGAW of 4 and 3 levels.
    let wide: UInt64 = 47 << 16 | 1 << 10
    let narrow: UInt64 = 38 << 16 | 1 << 9
    let difference = CapabilityWords.difference(
      from: CapabilityWords(wide, 0), to: CapabilityWords(narrow, 0))
    #expect(difference.map(\.label) == ["addresses"])
    #expect(
      difference.first?.gone == [
        "at most 48 bits, 256 TiB", "second stage of 4 levels (48 bits, 256 TiB)",
      ])
    #expect(
      difference.first?.came == [
        "at most 39 bits, 512 GiB", "second stage of 3 levels (39 bits, 512 GiB)",
      ])
  }

  // MARK: One device

  private func document(_ device: DeviceName) throws -> ReportDocument {
    let view = try #require(
      DeviceView(
        of: device, in: DumpEvidence(state: .sample, memory: SyntheticMemory([:]))))
    return ReportDocument(state: .sample, findings: []).narrowed(to: view)
  }

  @Test func aReportOfOneDeviceHasNothingOfOthers() throws {
    let document = try document("0000:00:1f.2")
    #expect(document.state.devices.map(\.device) == ["0000:00:1f.2"])
    #expect(document.state.units.map(\.name) == ["dmar0"])
    #expect(Set(document.state.contexts.map(\.device)) == ["0000:00:1f.2", "0000:00:1f.7"])
    #expect(document.state.domains.map(\.domainID) == [6])
    #expect(document.state.memoryMap == RemappingState.sample.memoryMap)
  }

  @Test(arguments: ["0000:00:1f.2", "0000:00:14.0", "0000:40:00.0"] as [DeviceName])
  func aReportOfOneDeviceIsReadBack(_ device: DeviceName) throws {
    let document = try document(device)
    let sink = MemorySink()
    try document.writeJSON(to: sink)
    #expect(try ReportReader.document(Array(sink.text.utf8)) == document)
  }

  @Test func aReportOfOneDeviceFitsTheScreen() throws {
    let document = try document("0000:00:1f.2")
    let sink = MemorySink()
    try DeviceText(
      try #require(document.deviceView), name: "Some Vendor Some Controller"
    ).write(document, to: sink)
    #expect(sink.text.hasPrefix("DEVICE 0000:00:1f.2\n  what              Some Vendor"))
    #expect(sink.text.contains("alias: requests may arrive under it"))
    for line in sink.text.split(separator: "\n") { #expect(line.utf8.count <= 100, "\(line)") }
  }

  // MARK: Tables

  @Test func aReasonIsNeverCutInTheMiddle() throws {
    let reason = String(repeating: "physical page 0x1000 is not part of this extract ", count: 4)
    let sink = MemorySink()
    let page = TextPage(sink, limit: nil, color: false)
    try page.table([.right("address"), .left("detail")], count: 1, what: "rows") { _ in
      ["0x1000", reason]
    }
    try page.finish()
    let text = sink.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(text.hasSuffix(reason.trimmed))
    for line in sink.text.split(separator: "\n") { #expect(line.utf8.count <= 100) }
  }
}

extension String {
  fileprivate var trimmed: String {
    split(separator: " ").joined(separator: " ")
  }
}
