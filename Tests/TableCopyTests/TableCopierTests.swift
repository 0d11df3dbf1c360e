// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import TableCopy
import TableFixtures
import Testing
import VTd

struct TableCopierTests {
  @Test func copiesEveryLevelWithLinksRewritten() throws {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1234_5000, to: 0xabc_d000, in: top)
    machine.map(0x4000_0000, to: 0x8000_0000, in: top, level: 3, rights: 1)
    let entry = machine.context(devfn: 0x10, table: top)
    let (copier, copy, proof) = copyAndProve(machine.unit)
    #expect(proof.differences == [])
    #expect(proof.leaves == 2)
    #expect(copy.problems.list == [])
    // Root, context, and the levels 4, 3, 2 and 1.
    #expect(copier.arena.pageCount == 6)
    #expect(copier.arena.pages[.pageTable(.second, level: 1)] == 1)
    let row = try #require(copy.contexts.first)
    #expect(row.old == [machine.memory[entry], machine.memory[entry + 8]])
    // The pointer is relative to the arena and keeps its present bit, the other word is exact.
    guard case .arena(let word)? = row.new?.first else {
      Issue.record("the pointer is not rewritten")
      return
    }
    #expect(word & 0xfff == 1)
    #expect(row.new?.last == .exact(machine.memory[entry + 8]))
    #expect(copy.domainIDs == [5])
  }

  @Test func copiesASharedTableOnce() {
    var machine = LegacyMachine()
    let top = machine.page()
    for page: UInt64 in 0..<600 {
      machine.map(0x1000_0000 + page << 12, to: page << 12, in: top)
    }
    machine.context(devfn: 0x10, table: top)
    let alone = copyAndProve(machine.unit).copier.arena.pageCount
    machine.context(devfn: 0x18, table: top)
    machine.context(bus: 3, devfn: 0x08, table: top)
    let (copier, copy, proof) = copyAndProve(machine.unit)
    #expect(proof.isIdentical)
    // One more context table, for bus 3.
    #expect(copier.arena.pageCount == alone + 1)
    #expect(copy.contexts.count == 3)
    #expect(proof.spaces == 1)
  }

  @Test func sharesPageTablesBetweenUnits() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x5000, to: 0x9000, in: top)
    machine.context(devfn: 0x10, table: top)
    var copier = TableCopier(base: PhysicalAddress(1 << 40))
    let first = copier.copyAll(machine.unit)
    let second = copier.copyAll(machine.unit)
    #expect(first.pages[.pageTable(.second, level: 4)] == 1)
    #expect(second.pages == [.rootTable: 1, .contextTable: 1])
  }

  @Test func copiesATableInsideOneSpaceOnceAndLinksItTwice() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1000, to: 0x5000, in: top)
    // The second GiB uses the first one's table.
    let third = machine.memory[top] & ~0xfff
    machine.memory[third + 8] = machine.memory[third]
    machine.context(devfn: 0x10, table: top)
    let (copier, copy, proof) = copyAndProve(machine.unit)
    #expect(proof.isIdentical)
    #expect(proof.leaves == 2)
    #expect(copier.arena.pageCount == 6)
    #expect(copy.problems.list == [])
  }

  @Test func passThroughHasNothingBelow() {
    let machine = LegacyMachine()
    machine.context(devfn: 0x10, table: 0, domainID: 2, low: 0b1001)
    let (copier, copy, proof) = copyAndProve(machine.unit)
    #expect(proof.isIdentical)
    #expect(copier.arena.pageCount == 2)
    #expect(copy.contexts.first?.new == [.exact(0b1001), .exact(0x202)])
  }

  @Test func scalableModeCopiesDirectoriesAndTables() throws {
    let memory = SyntheticMemory()
    let capabilities = UnitCapabilities(
      capability: Capability(6 | 0b1110 << 8 | 47 << 16 | 0b11 << 34),
      extendedCapability: ExtendedCapability(
        1 << 6 | 1 << 26 | 1 << 40 | 1 << 43 | 1 << 46 | 1 << 47))
    memory[0x1000] = 0x2001
    memory[0x1008] = 0x3001
    // 00:02.0 with PDTS 2: a directory of one page; 00:1f.2 in the upper table shares it.
    memory[0x2000 + 0x10 * 32] = 0x4000 | 2 << 9 | 1
    memory[0x3000 + 0x7a * 32] = 0x4000 | 2 << 9 | 1
    memory[0x4000] = 0x5001
    // PASID 0: second stage; 1: first stage; 2: pass-through; 3: nested.
    memory[0x5000] = 0x6000 | 2 << 6 | 2 << 2 | 1
    memory[0x5008] = 7
    memory[0x5040] = 1 << 6 | 1
    memory[0x5048] = 8
    memory[0x5050] = 0x7000
    memory[0x5080] = 4 << 6 | 2 << 2 | 1
    memory[0x5088] = 1
    memory[0x50c0] = 0x6000 | 3 << 6 | 2 << 2 | 1
    memory[0x50c8] = 9
    // The guest's top table lies at guest address 0x10000.
    memory[0x50d0] = 0x1_0000
    memory[0x6000] = 0x8003
    memory[0x8000] = 0x9003
    memory[0x9000] = 0xa003
    for page: UInt64 in 0..<32 { memory[0xa000 + page * 8] = (0x2_0000 + page << 12) | 3 }
    // A first stage of its own at 0x7000.
    memory[0x7000] = 0xb007
    memory[0xb000] = 0xc007
    memory[0xc000] = 0xd007
    memory[0xd008] = 0x77_7007
    // The guest's tables: guest 0x10000 is host 0x30000.
    memory[0x3_0000] = 0x1_1007
    memory[0x3_1000] = 0x1_2007
    memory[0x3_2000] = 0x1_3007
    memory[0x3_3000] = 0x5007
    let unit = TranslationTables(
      memory: memory, rootTable: PhysicalAddress(0x1000), mode: .scalable,
      capabilities: capabilities)
    let (copier, copy, proof) = copyAndProve(unit)
    #expect(proof.differences == [])
    // Four PASIDs of two devices.
    #expect(proof.contexts == 8)
    #expect(copy.pasids.count == 8)
    #expect(copy.domainIDs == [1, 7, 8, 9])
    #expect(copy.roots.map(\.half) == [0, 1])
    #expect(copier.arena.pages[.pasidTable] == 1)
    #expect(copier.arena.pages[.pasidDirectory] == 1)
    #expect(copier.arena.pages[.pageTable(.first, level: 4)] == 1)
    // Pages that nested translation still reads are the guest's: its first stage was not copied.
    let nested = try #require(copy.pasids.first { $0.pasid == 3 }?.new)
    #expect(nested[2] == .exact(0x1_0000))
  }

  @Test func aDirectoryOfManyPagesStaysInOnePiece() {
    let memory = SyntheticMemory()
    memory[0x1000] = 0x2001
    memory[0x2000] = 0x1_0000 | 7 << 9 | 1
    for page: UInt64 in 0..<32 { memory.addPage(0x1_0000 + page << 12) }
    // The last entry of 16,384.
    memory[0x1_0000 + 16383 * 8] = 0x5001
    memory[0x5000] = 4 << 6 | 2 << 2 | 1
    memory[0x5008] = 1
    let unit = TranslationTables(
      memory: memory, rootTable: PhysicalAddress(0x1000), mode: .scalable,
      capabilities: UnitCapabilities(
        capability: Capability(6 | 0b1110 << 8 | 47 << 16),
        extendedCapability: ExtendedCapability(1 << 6 | 1 << 43)))
    let (copier, copy, proof) = copyAndProve(unit)
    #expect(proof.isIdentical)
    #expect(copier.arena.pages[.pasidDirectory] == 32)
    #expect(copy.pasids.map(\.pasid) == [16383 * 64])
  }

  /// The image can be read like a dump: its root leads to the same translations.
  @Test func theArenaOfAnImageIsBesideTheMachine() {
    #expect(TableArena.base(beside: []).rawValue == 4 << 30)
    #expect(TableArena.base(beside: [0..<0x30000]).rawValue == 4 << 30)
    #expect(TableArena.base(beside: [0..<(9 << 18) + 1]).rawValue == 10 << 30)
    // At the end of the address space there is no room, and no overflow.
    let last = TableArena.base(beside: [0..<1 << 52])
    #expect(TableArena(base: last, pageLimit: .max).pageLimit == 1 << 18)
  }
}
