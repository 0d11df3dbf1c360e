// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory
import MemoryFixtures
import RemappingState
import Report
import StateFixtures
import TableCopy
import TableFixtures
import Testing
import VTd

/// States and tables that nobody meant: every policy ends, and its document can be written.
struct HostileForecastTests {
  private func run(
    _ state: RemappingState, _ memory: any PhysicalMemory, variants: [CopyVariant]
  ) throws {
    let facts = Self.facts
    for variant in variants {
      for strict in [variant == .v1] {
        let forecaster = Forecaster(
          state, memory: memory, facts: facts,
          options: ForecastOptions(variant: variant, strict: strict),
          budget: CopyBudget(
            pages: 2000, walk: WalkBudget(tables: 200, revisits: 50, lookups: 500),
            contexts: ContextBudget(pages: 200, paths: 50, directoryEntries: 100, obstacles: 50)))
        let document = InheritDocument(dump: state.dump, forecast: forecaster.forecast())
        try document.writeJSON(to: MemorySink())
        let text = MemorySink()
        try InheritText(limit: 5).write(document, to: text)
        #expect(text.text.split(separator: "\n").allSatisfy { $0.utf8.count <= 100 })
      }
    }
  }

  private static let facts = MachineFacts(
    reservations: [
      .init(kind: .main, range: 0...UInt64.max), .init(kind: .low, range: 5...5),
      .init(kind: .cma, range: UInt64.max...UInt64.max),
    ], kernelText: 1...UInt64.max, memoryFrames: [0..<1 << 52, 7..<7],
    traits: CrashKernelTraits(variant: .v2a))

  @Test func statesOfStrangers() throws {
    for state in [RemappingState.hostile, .sample] {
      try run(state, SyntheticMemory(), variants: [.v2a])
    }
  }

  @Test func tablesOfStrangers() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("hostile forecasts: seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<1 {
      let memory = SyntheticMemory()
      for page: UInt64 in 1...40 {
        for index: UInt64 in 0..<512 where random.chance(10) {
          memory[page << 12 | index << 3] =
            random.next() % 50 << 12 | random.next() & 0xfff
            | (random.chance(5) ? random.next() : 0)
        }
      }
      var state = RemappingState.sample
      for mode in [TableMode.legacy, .extended, .scalable] {
        for index in state.units.indices {
          state.units[index].tableMode = mode
          state.units[index].rootTable = PhysicalAddress(UInt64(index + 1) << 12)
          state.units[index].domainIDs.supported = random.chance(50) ? .max : .min
        }
        try run(state, memory, variants: [mode == .extended ? .v2a : .v1])
      }
    }
  }

  @Test func strictLeavesOutWhatHardwareWouldRefuse() throws {
    var machine = Machine()
    // A reserved bit in the first context.
    machine.tables.memory[0x2000 + 0x08 * 16] |= 1 << 5
    machine.refresh()
    for policy in [Policy.linux, .fullCopy] {
      let lenient = machine.forecaster().run(policy).forecast.units.first?.contexts.first
      #expect(lenient?.device == "0000:00:01.0")
      #expect(lenient?.new != nil)
      let strict = machine.forecaster(ForecastOptions(strict: true)).run(policy).forecast.units
        .first?.contexts.first
      #expect(strict?.device == "0000:00:01.0")
      #expect(strict?.new == nil)
    }
  }

  @Test func anObservedTakeoverIsComparedWordByWord() throws {
    let machine = Machine()
    let linux = machine.forecaster().run(.linux).forecast
    // The crash kernel's tables: an honest copy at 0x90000 and 0x91000, with one word changed.
    let memory = machine.tables.memory
    memory[0x9_0000] = 0x9_1001
    memory[0x9_0010] = 0x9_2001
    for index: UInt64 in 0..<512 {
      memory[0x9_1000 + index * 8] = memory[0x2000 + index * 8]
      memory[0x9_2000 + index * 8] = memory[0x3000 + index * 8]
    }
    func observe(_ copied: [UInt16]) -> ObservedTakeover.Unit? {
      machine.forecaster().observe(
        CrashTakeover(
          release: nil,
          units: [
            CrashUnit(
              name: "dmar0", rootTable: 0x9_0000, tookOver: true, copied: copied, domainIDs: nil,
              interruptTable: nil)
          ]), against: linux
      ).units.first
    }
    let all: [UInt16] = [0x08, 0x10, 0x18, 0x20, 0x30, 0x100]
    let honest = try #require(observe(all))
    #expect(honest.differences == [])
    #expect(honest.copied.count == 6)
    #expect(honest.words == 512 + 6 * 2)
    // A device that was attached since is not compared.
    #expect(observe([0x08])?.replaced.count == 5)
    memory[0x9_1000 + 0x10 * 16 + 8] ^= 1 << 8
    #expect(observe(all)?.differences.count == 1)
    memory[0x9_0000 + 77 * 16] = 0x9_3001
    #expect(observe(all)?.differences.count == 2)
  }
}
