// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

@testable import Owners

struct OwnersIndexTests {
  private func state(_ runs: [[Run]], passThrough: Bool = false) -> RemappingState {
    var state = RemappingState(dump: DumpSummary(file: "x", format: "elf"))
    for (index, runs) in runs.enumerated() {
      let table = PhysicalAddress(0x10_0000 + UInt64(index) << 12)
      let device = PCIFunction(bus: 0, devfn: UInt8(index) << 3)
      let id = UInt32(index)
      state.contexts.append(
        Context(
          unit: "dmar0", device: device, pasid: nil, translation: .secondStage, domainID: id,
          levels: 4, table: table, faultProcessingDisabled: false, raw: [], entry: table))
      state.domains.append(
        Domain(
          unit: "dmar0", domainID: id, table: table, levels: 4, devices: [.pci(device)],
          mapping: Mapping(leaves: runs.count, bytes: 0, runs: runs)))
    }
    if passThrough {
      state.contexts.append(
        Context(
          unit: "dmar0", device: PCIFunction(bus: 1, devfn: 0), pasid: nil,
          translation: .passThrough, domainID: 99, levels: nil, table: nil,
          faultProcessingDisabled: false, raw: [], entry: PhysicalAddress(0)))
    }
    return state
  }

  private func run(_ iova: UInt64, _ length: UInt64, _ physical: UInt64) -> Run {
    Run(
      iova: IOVirtualAddress(iova), length: HexWord(length), physical: PhysicalAddress(physical),
      access: .readWrite)
  }

  @Test func `a way is cut to the range that was asked for`() {
    let index = OwnersIndex(state([[run(0xf000_0000, 0x4000, 0x8000)]]))
    let ways = index.reaches(PhysicalAddress(0x9800), PhysicalAddress(0xa7ff))
    #expect(ways.count == 1)
    #expect(ways.first?.iova == IOVirtualAddress(0xf000_1800))
    #expect(ways.first?.iovaEnd == IOVirtualAddress(0xf000_27ff))
    #expect(index.reaches(PhysicalAddress(0x7fff), PhysicalAddress(0x7fff)).isEmpty)
    #expect(index.reaches(PhysicalAddress(0xc000), PhysicalAddress(0xc000)).isEmpty)
  }

  @Test func `pass-through reaches everything at its own address`() {
    let index = OwnersIndex(state([], passThrough: true))
    let ways = index.reaches(PhysicalAddress(0x1234), PhysicalAddress(0x1234))
    #expect(ways.map(\.translation) == [.passThrough])
    #expect(ways.first?.iova == IOVirtualAddress(0x1234))
  }

  @Test func `without a unit every device reaches everything`() {
    var state = RemappingState(dump: DumpSummary(file: "x", format: "elf", typesFrom: "btf"))
    let devices = [Reach.Requester(device: "0000:00:02.0", driver: "nvme")]
    func ways() -> [Reach] {
      OwnersIndex(state, untranslated: [nil: devices])
        .reaches(PhysicalAddress(0x1234), PhysicalAddress(0x1fff))
    }
    #expect(ways().map(\.translation) == [.untranslated])
    #expect(ways().map(\.unit) == [nil])
    #expect(ways().map(\.devices) == [devices])
    #expect(state.tablesAreComplete)
    // Another driver's units may translate, and a list that was not read may name some.
    for structure in [
      Observation(.otherDriver, structure: .kernel(.otherUnit, number: "ivhd0")),
      Observation(.unreadable, structure: .kernel(.unitList)),
      Observation(.malformed, structure: .kernel(.otherUnitList)),
    ] {
      state.observations = [structure]
      #expect(ways().isEmpty)
      #expect(!state.tablesAreComplete)
    }
    state.observations = []
    state.dump.typesFrom = nil
    #expect(ways().isEmpty)
  }

  @Test func `a run up to the last byte of 64 bits does not overflow`() {
    let index = OwnersIndex(state([[run(0, 0x1000, 0xffff_ffff_ffff_f000)]]))
    #expect(index.reaches(PhysicalAddress(.max), PhysicalAddress(.max)).count == 1)
  }

  @Test func `answers like a search through all runs`() {
    let seed = UInt64.random(in: 0...(.max))
    print("let seed: UInt64 = \(seed)")
    var generator = seed
    func next(_ bound: UInt64) -> UInt64 {
      generator = generator &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (generator >> 33) % bound
    }
    let domains = (0..<4).map { _ in
      (0..<200).map { _ in run(next(1 << 20) << 12, (next(8) + 1) << 12, next(512) << 12) }
    }
    let index = OwnersIndex(state(domains))
    #expect(index.count == 800)
    for _ in 0..<500 {
      let low = next(520 << 12)
      let high = low + next(0x5000)
      let found = index.reaches(PhysicalAddress(low), PhysicalAddress(high)).map {
        "\($0.domainID ?? 9) \($0.iova) \($0.physical) \($0.physicalEnd)"
      }.sorted()
      var expected: [String] = []
      for (domain, runs) in domains.enumerated() {
        for run in runs {
          let start = max(low, run.physical.rawValue)
          let end = min(high, run.physical.rawValue + run.length.rawValue - 1)
          guard start <= end else { continue }
          let iova = run.iova.rawValue + start - run.physical.rawValue
          expected.append(
            "\(domain) \(iova.hexadecimal) \(start.hexadecimal) \(end.hexadecimal)")
        }
      }
      #expect(found == expected.sorted())
    }
  }

  // MARK: Mapped and reachable

  private func unit(capability: UInt64 = 2 | 6 << 8 | 47 << 16, isOn: Bool = true) -> Unit {
    Unit(
      name: "dmar0", segment: 0, registerBase: PhysicalAddress(0),
      capability: HexWord(capability), extendedCapability: 1, tableMode: .legacy,
      translationEnabled: isOn)
  }

  private func ways(_ state: RemappingState, _ address: UInt64) -> [Reach] {
    OwnersIndex(state).reaches(PhysicalAddress(address), PhysicalAddress(address))
  }

  /// Where remapping is off, the state often has neither a context nor a device.
  @Test func `a unit that does not translate lets devices that nobody names reach everything`() {
    var state = state([])
    state.contexts = []
    state.devices = []
    state.units = [unit(isOn: false)]
    let unnamed = ways(state, 0x7000)
    #expect(unnamed.map(\.translation) == [.untranslated])
    #expect(unnamed.first?.devices.isEmpty == true && unnamed.first?.reachable == true)
    #expect(unnamed.first?.iova == IOVirtualAddress(0x7000))
    let named = OwnersIndex(
      state,
      untranslated: [
        "dmar0": [
          .init(device: "0000:00:03.0", pasid: nil, driver: "nvme"),
          .init(device: "0000:00:02.0", pasid: nil, driver: nil),
        ], "dmar1": [.init(device: "0000:00:04.0", pasid: nil, driver: nil)],
      ]
    ).reaches(PhysicalAddress(0x7000), PhysicalAddress(0x7fff))
    #expect(named.map { $0.devices.map(\.device) } == [["0000:00:02.0", "0000:00:03.0"]])
    #expect(named.first?.devices.last?.driver == "nvme")
    state.units = [unit(isOn: true)]
    #expect(ways(state, 0x7000).isEmpty)
  }

  @Test func `a way that hardware refuses is mapped and not reachable`() {
    var state = state([[run(0x1000, 0x1000, 0x8000)]])
    state.units = [unit()]
    #expect(ways(state, 0x8000).map(\.reachable) == [true])
    state.contexts[0].refusal = .init(
      detail: "root entry has reserved bits 4 set", faultReason: 0xa)
    let refused = ways(state, 0x8000)
    #expect(refused.map(\.reachable) == [false])
    #expect(refused.first?.obstacle?.contains("reserved bits 4") == true)
  }

  @Test func `addresses that the unit does not translate reach nothing`() {
    var state = state([
      [
        run(0xfee0_0000, 0x1000, 0x8000), run(1 << 40, 0x1000, 0x9000),
        run(0x1000, 0x1000, 0xfee0_1000),
      ]
    ])
    state.units = [unit()]
    #expect(ways(state, 0x8000).map(\.reachable) == [false])
    #expect(ways(state, 0xfee0_1000).map(\.reachable) == [false])
    #expect(ways(state, 0x9000).map(\.reachable) == [true])
    state.units = [unit(capability: 2 | 6 << 8 | 38 << 16)]
    #expect(ways(state, 0x9000).map(\.reachable) == [false])
    // With a PASID the interrupt range is translated.
    state.contexts[0].servesRequestsWithoutPASID = false
    #expect(ways(state, 0x8000).map(\.reachable) == [true])
  }

  @Test func `with translation off every device goes anywhere`() {
    var state = state([[run(0x1000, 0x1000, 0x8000)]], passThrough: true)
    state.units = [unit(isOn: false)]
    state.devices = [Device(device: .pci(PCIFunction(bus: 2, devfn: 0)), unit: "dmar0")]
    let found = ways(state, 0x7777_7000)
    #expect(found.map(\.translation) == [.untranslated])
    #expect(found.first?.devices.map(\.device.bus) == [0, 1, 2])
    #expect(found.first?.iova == IOVirtualAddress(0x7777_7000))
  }
}
