// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import TableCopy
import TableFixtures
import Testing
import VTd

/// Tables that stay where they are: what an adoption leaves alone and a live update clears.
struct InPlaceTests {
  /// No word of an adopted table is another one, and every path and mapping is what it was.
  @Test func adoptionChangesNothingOnRandomTables() throws {
    let cases = environmentNumber("TABLECOPY_CASES", default: 60)
    let seed = UInt64(
      environmentNumber("TABLECOPY_SEED", default: Int.random(in: 0...Int.max)))
    print("random tables: \(cases) cases, TABLECOPY_SEED=\(seed)")
    var random = SeededGenerator(seed: seed)
    for number in 0..<cases {
      let unit = RandomTablesTests.machine(&random).unit
      var copier = TableCopier(base: PhysicalAddress(1 << 40))
      let copy = copier.adopt(unit)
      #expect(copier.edits.isEmpty && copier.arena.pageCount == 0 && copy.pages.isEmpty)
      #expect(copy.rootTable == unit.rootTable && copy.isInPlace)
      #expect(copy.roots.allSatisfy { $0.new == .exact($0.old) }, "case \(number) of seed \(seed)")
      for row in copy.contexts {
        let old = try #require(row.old)
        #expect(row.new == old.map(CopiedWord.exact), "case \(number) of seed \(seed)")
      }
      #expect(copy.pasids == [])
      let memory = EditedMemory(copier.edits, over: unit.memory)
      func read(_ memory: any PhysicalMemory) -> [ContextPath] {
        TranslationTables(
          memory: memory, rootTable: unit.rootTable, mode: unit.mode,
          capabilities: unit.capabilities
        ).read().paths
      }
      let before = read(unit.memory)
      #expect(before == read(memory) && copy.contexts.count == before.count)
      for space in Set(before.compactMap(\.addressSpace)) {
        func runs(_ memory: any PhysicalMemory) -> RunCollector {
          var runs = RunCollector()
          PageTableWalk(memory: memory, space: space, unit: unit.capabilities).run(&runs)
          return runs
        }
        #expect(runs(memory).runs == runs(unit.memory).runs, "case \(number) of seed \(seed)")
      }
    }
  }

  // MARK: Legacy mode

  @Test func clearsEntriesAndLeavesTheOthersWordForWord() throws {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.context(devfn: 0x08, table: top, domainID: 3)
    machine.context(devfn: 0x10, table: top, domainID: 4)
    // Bit 4 is no PRE in legacy mode.
    let kept = machine.context(bus: 1, devfn: 0x88, table: top, domainID: 5, low: 1 | 1 << 4)
    var copier = TableCopier(base: PhysicalAddress(1 << 40))
    let copy = copier.update(
      machine.unit, InPlaceUpdate(cleared: [0x0010, 0x0200], withoutPageRequests: [0x0188]))
    let words: [[CopiedWord]?] = [
      [.exact(top | 1), .exact(0x302)], nil, [.exact(top | 0x11), .exact(0x502)],
    ]
    #expect(copy.contexts.map(\.new) == words)
    #expect(copier.edits.words == [0x2100: 0, 0x2108: 0])
    #expect(copy.copied == [0x0008, 0x0188] && copy.domainIDs == [3, 5])
    #expect(machine.memory[kept] == top | 0x11)
    // The dump itself stays as it was.
    #expect(machine.memory[0x2100] == top | 1)
    let memory = EditedMemory(copier.edits, over: machine.memory)
    let page = try memory.page(2)
    #expect(page[word: 0x20] == 0)
    #expect(page[word: 0x10] == top | 1)
    #expect(memory.memoryFrames == machine.memory.memoryFrames && memory.absence(2) == nil)
  }

  @Test func zeroesTheRootsOfTablesThatAreNotHandedOver() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.context(bus: 0, devfn: 0x08, table: top, domainID: 3)
    machine.context(bus: 7, devfn: 0x08, table: top, domainID: 4)
    // The upper words mean nothing in legacy mode, and an absent entry is left alone.
    machine.memory[0x1000 + 7 * 16 + 8] = 0x9001
    machine.memory[0x1000 + 9 * 16] = 0x5000
    var copier = TableCopier(base: PhysicalAddress(1 << 40))
    let copy = copier.update(machine.unit, InPlaceUpdate(contextTables: [0]))
    #expect(copier.edits.words == [0x1070: 0])
    #expect(copy.roots.map(\.new) == [.exact(0x2001), .exact(0)])
    #expect(copy.contexts.map { $0.new == nil } == [false, true])
  }

  // MARK: Scalable mode

  /// One bus, both halves: 00.0 and 10.0, each with a PASID entry for requests without PASID.
  private func scalable() -> (memory: SyntheticMemory, unit: TranslationTables) {
    let memory = SyntheticMemory()
    for page: UInt64 in 1...8 { memory.addPage(page << 12) }
    memory[0x1000] = 0x2001
    memory[0x1008] = 0x3001
    for (context, directory, table, id) in [
      (0x2000, 0x4000, 0x5000, 6), (0x3000, 0x6000, 0x7000, 7),
    ] as [(UInt64, UInt64, UInt64, UInt64)] {
      // Present, PRE, device TLB; the upper words are reserved, but words all the same.
      memory[context] = directory | 0b1_0101
      memory[context + 16] = 0xabc
      memory[directory] = table | 1
      memory[table] = 0x8000 | 2 << 2 | 2 << 6 | 1
      memory[table + 8] = id
    }
    return (
      memory,
      TranslationTables(
        memory: memory, rootTable: PhysicalAddress(0x1000), mode: .scalable,
        capabilities: UnitCapabilities(
          capability: LegacyMachine.capabilities.capability,
          extendedCapability: ExtendedCapability(1 << 43 | 1 << 46 | 1 << 40)))
    )
  }

  @Test func pageRequestsEndWhereADeviceIsPreserved() {
    let (_, unit) = scalable()
    var copier = TableCopier(base: PhysicalAddress(1 << 40))
    let copy = copier.update(
      unit, InPlaceUpdate(cleared: [0x0080], withoutPageRequests: [0x0000, 0x0080, 0x0300]))
    #expect(copier.edits.words == [0x2000: 0x4005, 0x3000: 0, 0x3008: 0])
    let words: [[CopiedWord]?] = [[.exact(0x4005), .exact(0), .exact(0xabc), .exact(0)], nil]
    #expect(copy.contexts.map(\.new) == words)
    #expect(copy.pasids.map { $0.new == nil } == [false, true])
    #expect(copy.domainIDs == [6])
  }

  @Test func halvesAreKeptAndZeroedByThemselves() {
    let (_, unit) = scalable()
    for (kept, words) in [
      ([0, 1], [:]), ([0], [0x1008: 0]), ([1], [0x1000: 0]), ([], [0x1000: 0, 0x1008: 0]),
    ] as [(Set<Int>, [UInt64: UInt64])] {
      var copier = TableCopier(base: PhysicalAddress(1 << 40))
      let copy = copier.update(unit, InPlaceUpdate(contextTables: kept))
      #expect(copier.edits.words == words)
      #expect(copy.roots.map { $0.new != .exact(0) } == [kept.contains(0), kept.contains(1)])
    }
  }

  /// A table that two buses share loses the entry for both.
  @Test func sharedTablesAreEditedOnce() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.context(bus: 0, devfn: 0x08, table: top)
    machine.memory[0x1010] = 0x2001
    var copier = TableCopier(base: PhysicalAddress(1 << 40))
    let copy = copier.update(machine.unit, InPlaceUpdate(cleared: [0x0008]))
    #expect(copy.contexts.count == 2 && copy.contexts.allSatisfy { $0.new == nil })
  }

  /// Words of tables that the dump lacks are nobody's to edit.
  @Test func missingTablesStayMissing() {
    let machine = LegacyMachine()
    machine.memory[0x1000] = 0xdead_0000_0001
    var copier = TableCopier(base: PhysicalAddress(1 << 40))
    let copy = copier.update(
      machine.unit, InPlaceUpdate(cleared: [0x0008], withoutPageRequests: [0x0010]))
    #expect(copy.contexts == [] && copy.roots.count == 1)
    let memory = EditedMemory(copier.edits, over: machine.memory)
    #expect(memory.absence(0xdead_0000) != nil)
  }
}
