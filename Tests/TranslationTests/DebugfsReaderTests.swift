// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Evidence
import Memory
import MemoryFixtures
import RemappingState
import Testing
import Translation
import VTd

/// What the kernel's own files would hold, row by row.
struct DebugfsReaderTests {
  @Test(
    arguments: [
      ("4.19.0", .withPASID), ("5.10.0-32-amd64", .withPASID), ("5.17.9", .withPASID),
      ("5.18.0", .ownDomain),
      ("5.19.17", .ownDomain), ("6.0.1", .firstOfGroup), ("6.1.0", .firstOfGroup),
      ("6.6.9", .firstOfGroup), ("6.7.9", .filePerSpace),
      ("7.3.0-rc1", .filePerSpace), (nil, nil), ("mainline", nil),
    ] as [(String?, DebugfsGeneration?)])
  func `the release tells the form`(_ release: String?, _ expected: DebugfsGeneration?) {
    #expect(DebugfsGeneration(release: release) == expected)
  }

  @Test func `without a release the newest form is taken`() {
    var evidence = TranslatorTests.evidence()
    evidence.state.dump.release = nil
    #expect(DebugfsReader(evidence).generation == .filePerSpace)
    evidence.state.dump.release = "5.14.0-503.el9"
    #expect(DebugfsReader(evidence).generation == .withPASID)
    #expect(DebugfsReader(evidence, generation: .ownDomain).generation == .ownDomain)
  }

  /// Each row in a few words.
  private func rows(
    _ file: DebugfsFile, _ evidence: DumpEvidence, _ generation: DebugfsGeneration? = nil
  ) -> [String] {
    var rows: [String] = []
    DebugfsReader(evidence, generation: generation).forEachRow(of: file) { (row) throws(Never) in
      let text =
        switch row {
        case .translationOff(let unit): "off \(unit)"
        case .contexts(let unit, let root): "contexts \(unit) \(root)"
        case .context(let row):
          "\(row.bus):\(row.devfn) \(row.root.low.hexadecimal) \(row.entry.low.hexadecimal) "
            + "\(row.pasid.map { "\($0.number) \($0.words.0.hexadecimal)" } ?? "-")"
        case .domain(let device, let pasid, let table):
          "domain \(device)\(pasid.map { " \($0)" } ?? "") \(table)"
        case .leaf(let leaf):
          "\(leaf.page.hexadecimal) L\(leaf.level) \(leaf.path.map(\.hexadecimal))"
        case .interrupts(let unit, let isPosted, let table):
          "interrupts \(unit) \(isPosted) \(table.map(\.description) ?? "-")"
        case .interrupt(let index, let entry): "\(index) \(entry.words[0].hexadecimal)"
        case .interruptsDivider: "divider"
        case .queue(let unit, let base, let words): "queue \(unit) \(base) \(words)"
        case .descriptor(let index, let words, let status):
          "\(index) \(words.map(\.hexadecimal)) \(status.map { "\($0)" } ?? "?")"
        case .missing(let gap): "missing \(gap)"
        case .end: "end"
        }
      rows.append(text)
    }
    return rows
  }

  @Test func `contexts of a legacy root, and the root that is not there`() {
    var evidence = TranslatorTests.evidence([0x1010: 0x77_7001])
    #expect(
      rows(.dmarTranslation, evidence) == [
        "contexts given0 0x1000", "0:16 0x2001 0x4001 -",
        "missing contextTable(0x777000)", "missing contextTable(0x777000)", "end",
      ])
    evidence.state.units[0].rootTable = PhysicalAddress(0x5_5000)
    #expect(
      rows(.dmarTranslation, evidence) == [
        "contexts given0 0x55000", "missing rootTable(0x55000)", "end",
      ])
    evidence.state.units[0].translationEnabled = false
    #expect(rows(.dmarTranslation, evidence) == ["off given0"])
    evidence.state.units[0].ignored = true
    #expect(rows(.dmarTranslation, evidence) == [])
  }

  @Test func `each PASID of a scalable root is a row`() {
    let memory = SyntheticMemory([
      // Upper half of bus 1, context of 01:10.0, directory, table, PASID 1 of it.
      0x1010: 0x2001, 0x1018: 0x3001, 0x3000: 0x4001, 0x4000: 0x5001, 0x4008: 0x66_6001,
      0x5040: 0x9003,
    ])
    var state = TranslatorTests.evidence().state
    state.units[0].tableMode = .scalable
    let evidence = DumpEvidence(state: state, memory: memory)
    #expect(
      rows(.dmarTranslation, evidence) == [
        "contexts given0 0x1000", "missing contextTable(0x2000)", "1:128 0x2001 0x4001 1 0x9003",
        "missing pasidTable(0x666000)", "end",
      ])
  }

  @Test func `domains belong to devices of a group`() {
    var evidence = TranslatorTests.evidence([0x4008: 0xff_f003, 0x6ff0: 0x4000_0083])
    evidence.state.devices = [
      Device(device: .pci(TranslatorTests.device), group: 3),
      Device(device: .pci(PCIFunction(bus: 0, devfn: 0x11)), group: 3),
      Device(device: .pci(PCIFunction(bus: 0, devfn: 0x18))),
    ]
    let domain = [
      "domain 0000:00:02.0 0x4000",
      "0xffc00 L2 [\"0x0\", \"0x0\", \"0x40000083\", \"0x6003\", \"0x5003\", \"0x0\"]",
      "0xffffe L1 [\"0x0\", \"0xa001\", \"0x7003\", \"0x6003\", \"0x5003\", \"0x0\"]",
      "0xfffff L1 [\"0x0\", \"0x9003\", \"0x7003\", \"0x6003\", \"0x5003\", \"0x0\"]",
      "missing pageTable(0xfff000)", "end",
    ]
    #expect(rows(.domainTranslation, evidence) == domain)
    // From 6.0 to 6.6 the group's first device stood for each of its devices.
    #expect(rows(.domainTranslation, evidence, .firstOfGroup) == domain + domain)
    // Before, each had its own domain; the second one has none here.
    #expect(rows(.domainTranslation, evidence, .ownDomain) == domain)
    #expect(
      rows(.domainTranslation, evidence, .withPASID) == ["domain 0000:00:02.0 0 0x4000"]
        + domain.dropFirst())
    // Since 6.7 the hardware's tables count, and a unit that is off is said.
    evidence.state.units[0].translationEnabled = false
    #expect(rows(.domainTranslation, evidence) == ["off given0", "off given0"])
  }

  @Test func `since 6.7 scalable contexts are printed with their PASID`() {
    var evidence = TranslatorTests.evidence()
    evidence.state.units[0].tableMode = .scalable
    evidence.state.devices = [Device(device: .pci(TranslatorTests.device), group: 3)]
    func context(_ words: [UInt64]) -> Context {
      Context(
        unit: "given0", device: TranslatorTests.device, pasid: 0, translation: .firstStage,
        domainID: 1, levels: 4, table: nil, faultProcessingDisabled: false,
        raw: words.map { HexWord($0) }, entry: PhysicalAddress(0))
    }
    let unused = [UInt64](repeating: 0, count: 5)
    // First stage with AW 1, which is what the kernel's levels come from.
    evidence.state.contexts = [context([0x45, 1, 0x7000] + unused)]
    #expect(rows(.domainTranslation, evidence).first == "domain 0000:00:02.0 0 0x7000")
    evidence.state.contexts = [context([0x6089, 1, 0x7000] + unused)]
    evidence.state.contexts[0].translation = .nested
    #expect(rows(.domainTranslation, evidence).first == "domain 0000:00:02.0 0 0x6000")
    evidence.state.contexts = [context([0x101, 1, 0] + unused)]
    evidence.state.contexts[0].translation = .passThrough
    #expect(rows(.domainTranslation, evidence) == [])
  }

  @Test func `interrupts are remapped or posted`() {
    var evidence = TranslatorTests.evidence([
      0x8000: 0x1, 0x8010: 0x2, 0x8020: 0x8001, 0x8028: 0x10,
    ])
    evidence.state.units[0].interruptRemapping = InterruptRemapping(
      table: PhysicalAddress(0x8000), entries: 512)
    #expect(rows(.interruptRemapping, evidence) == ["divider"])
    evidence.state.units[0].extendedCapability = 0x8
    evidence.state.units[0].capability = 0x800_0000_0000_0000
    #expect(
      rows(.interruptRemapping, evidence) == [
        "interrupts given0 false 0x8000", "0 0x1", "missing interruptPages(1)", "end", "divider",
        "interrupts given0 true 0x8000", "2 0x8001", "missing interruptPages(1)", "end",
      ])
    evidence.state.units[0].interruptRemappingEnabled = false
    #expect(
      rows(.interruptRemapping, evidence).prefix(3) == [
        "interrupts given0 false -", "end", "divider",
      ])
  }

  @Test func `a queue is printed slot by slot`() {
    var evidence = TranslatorTests.evidence([0x8ff0: 0x1, 0x8ff8: 0x7])
    evidence.state.units[0].extendedCapability = 0x2
    evidence.state.units[0].invalidationQueue = InvalidationQueue(
      base: PhysicalAddress(0x8ff0), entries: 2, descriptorSize: 16, freeHead: 0, freeTail: 0,
      pending: 0)
    #expect(
      rows(.invalidationQueue, evidence) == [
        "queue given0 0x8ff0 2", "0 [\"0x1\", \"0x7\"] ?", "missing descriptor(1)", "end",
      ])
  }
}
