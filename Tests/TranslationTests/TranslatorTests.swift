// SPDX-License-Identifier: Apache-2.0

import Assembly
import DumpFixtures
import Evidence
import Memory
import MemoryFixtures
import RemappingState
import Testing
import Translation

struct TranslatorTests {
  /// A legacy root at 0x1000; 00:02.0 has domain 4 with a table of four levels at 0x4000.
  static func evidence(_ further: [UInt64: UInt64] = [:]) -> DumpEvidence {
    var words: [UInt64: UInt64] = [
      // Root, context.
      0x1000: 0x2001, 0x2100: 0x4001, 0x2108: 0x402,
      // 0xfffff000 read-write, 0xffffe000 read-only.
      0x4000: 0x5003, 0x5018: 0x6003, 0x6ff8: 0x7003, 0x7ff8: 0x9003, 0x7ff0: 0xa001,
    ]
    words.merge(further) { $1 }
    let memory = SyntheticMemory(words)
    let state = RemappingState(
      DumpSummary(file: "x", format: "elf"), memory: memory,
      roots: [RootTable(address: PhysicalAddress(0x1000), mode: .legacy, origin: .given)])
    return DumpEvidence(state: state, memory: memory)
  }

  static let device = PCIFunction(bus: 0, devfn: 0x10)

  @Test func `a translation tells every entry and the fault`() {
    let translator = Translator(Self.evidence())
    let mapped = translator.translate(
      Self.device, pasid: nil, iova: IOVirtualAddress(0xffff_f123))
    #expect(mapped.outcome == .mapped)
    #expect(mapped.physical == PhysicalAddress(0x9123))
    #expect(mapped.entries.map(\.level) == [nil, nil, 4, 3, 2, 1])
    let readOnly = translator.translate(
      Self.device, pasid: nil, iova: IOVirtualAddress(0xffff_e000))
    #expect(readOnly.faultOnRead == nil)
    #expect(readOnly.faultOnWrite?.code == 0x5)
    let hole = translator.translate(Self.device, pasid: nil, iova: IOVirtualAddress(0))
    #expect(hole.outcome == .notMapped)
    #expect(hole.faultOnRead?.code == 0x6)
  }

  @Test func `a unit that is off needs no root table`() {
    var evidence = Self.evidence()
    evidence.state.contexts = []
    evidence.state.units[0].translationEnabled = false
    evidence.state.units[0].rootTable = nil
    let off = Translator(evidence).translate(
      Self.device, pasid: nil, iova: IOVirtualAddress(0x2000))
    #expect(off.outcome == .untranslated && off.physical == PhysicalAddress(0x2000))
    #expect(off.unit == evidence.state.units[0].name && off.entries.isEmpty)
    evidence.state.units[0].translationEnabled = true
    #expect(
      Translator(evidence).translate(Self.device, pasid: nil, iova: IOVirtualAddress(0x2000))
        .outcome == .unknown)
  }

  @Test func `without a unit an address is physical, unless another driver's translate`() {
    var evidence = Self.evidence()
    evidence.state.contexts = []
    evidence.state.units = []
    evidence.state.dump.typesFrom = "dwarf"
    func answer() -> AddressTranslation {
      Translator(evidence).translate(Self.device, pasid: nil, iova: IOVirtualAddress(0x2000))
    }
    #expect(answer().outcome == .untranslated && answer().physical == PhysicalAddress(0x2000))
    #expect(answer().unit == nil)
    evidence.state.observations = [
      Observation(.otherDriver, structure: .kernel(.otherUnit, number: "ivhd0"))
    ]
    #expect(answer().outcome == .unknown && answer().physical == nil)
    #expect(answer().detail.contains("ivhd0"))
    // Of units that were not read nothing is known.
    evidence.state.observations = [Observation(.unreadable, structure: .kernel(.unitList))]
    #expect(answer().outcome == .unknown)
  }

  @Test func `ends have names of their own`() {
    func outcome(
      _ address: UInt64, _ further: [UInt64: UInt64] = [:], isOn: Bool = true
    ) -> AddressTranslation {
      var evidence = Self.evidence(further)
      evidence.state.units[0].translationEnabled = isOn
      return Translator(evidence).translate(
        Self.device, pasid: nil, iova: IOVirtualAddress(address))
    }
    #expect(outcome(0xfee0_1000).outcome == .interrupt)
    #expect(outcome(0xfee0_1000).faultOnWrite == nil)
    #expect(outcome(1 << 50).outcome == .beyondWidth)
    #expect(outcome(0x1000, isOn: false).outcome == .untranslated)
    #expect(outcome(0x1000, isOn: false).physical == PhysicalAddress(0x1000))
    #expect(outcome(0, [0x1000: 0x2011]).outcome == .noContext)
    #expect(outcome(0, [0x1000: 0x2011]).faultOnRead?.code == 0xa)
    #expect(outcome(0, [0x2100: 0]).outcome == .noContext)
    #expect(outcome(1 << 39, [0x4008: 0xff_f003]).outcome == .unreadable)
    #expect(outcome(0xffff_f000, [0x7ff8: 0xfee0_0003]).outcome == .notMapped)
    #expect(outcome(0xffff_f000, [0x7ff8: 0xfee0_0003]).faultOnRead?.code == 0xe)
  }

  @Test func `without a unit nothing is known of a device`() {
    var evidence = Self.evidence()
    evidence.state.units = []
    let answer = Translator(evidence).translate(
      Self.device, pasid: nil, iova: IOVirtualAddress(0))
    #expect(answer.outcome == .unknown)
    #expect(answer.unit == nil)
  }

  @Test func `entries are listed depth first, with what cannot be read`() throws {
    // A third entry of the lowest table leads to nothing; a branch leads out of the dump.
    let evidence = Self.evidence([0x4008: 0xff_f003])
    let lister = TableLister(evidence)
    let listed = try #require(lister.tables(of: Self.device, pasid: nil))
    #expect(listed.table == PhysicalAddress(0x4000))
    #expect(listed.entries.map { $0.entry.level } == [4, 3, 2, 1, 1, 4])
    #expect(listed.entries.filter(\.leaf).map(\.iova.rawValue) == [0xffff_e000, 0xffff_f000])
    #expect(listed.obstacles.count == 1)
    #expect(!listed.isCut)
    // Three entries' worth of rows.
    let limited = DumpEvidence(
      state: evidence.state, memory: evidence.memory,
      work: WorkBudget(WorkLimits(entries: 1 << 20, runs: 15)))
    let short = TableLister(limited)
    let cut = try #require(short.tables(of: Self.device, pasid: nil))
    #expect(cut.isCut)
    #expect(cut.entries.count == 3)
    #expect(limited.cuts.map(\.what) == [.runs])
    #expect(limited.cuts.first?.device == .pci(Self.device))
    let unit = try #require(lister.tables(of: evidence.state.units[0], interrupts: true))
    #expect(unit.entries.map(\.entry.structure) == ["root entry", "context entry"])
    #expect(unit.interrupts?.isEmpty == true)
  }
}
