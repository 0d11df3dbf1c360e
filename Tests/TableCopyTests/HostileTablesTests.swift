// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import TableCopy
import TableFixtures
import Testing
import VTd

/// Corrupt tables: each check ends in a stated outcome, and nothing traps or hangs.
struct HostileTablesTests {
  private func outcomes(_ copy: UnitCopy) -> [CopyProblem.Check: CopyProblem.Outcome] {
    Dictionary(copy.problems.list.map { ($0.check, $0.outcome) }, uniquingKeysWith: { a, _ in a })
  }

  @Test func aTableThatContainsItself() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1000, to: 0x9000, in: top)
    machine.memory[top + 8] = top | 3
    machine.context(devfn: 0, table: top)
    let (_, copy, proof) = copyAndProve(machine.unit)
    #expect(outcomes(copy)[.cycle] == .dropped)
    #expect(proof.isIdentical)
    #expect(proof.leaves == 1)
  }

  @Test func aCycleOverSeveralLevels() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1000, to: 0x9000, in: top)
    let third = machine.memory[top] & ~0xfff
    let second = machine.memory[third] & ~0xfff
    machine.memory[second + 16] = third | 3
    machine.context(devfn: 0, table: top)
    // The same page is an honest table of another space, where its pointer is a cycle as well.
    machine.context(devfn: 8, table: third, levels: 3, domainID: 6)
    let (_, copy, proof) = copyAndProve(machine.unit)
    #expect(outcomes(copy)[.cycle] == .dropped)
    #expect(proof.isIdentical)
  }

  @Test func aTableWhoseCycleIsNoneElsewhere() {
    var machine = LegacyMachine()
    let top = machine.page()
    let other = machine.page()
    machine.map(0x1000, to: 0x9000, in: top)
    let third = machine.memory[top] & ~0xfff
    let second = machine.memory[third] & ~0xfff
    // Below `top` this is a cycle; below `other` the page is an ordinary level 1 table.
    machine.memory[second + 8] = top | 3
    machine.memory[top + 8] = 0x7003
    machine.memory.addPage(0x7000)
    machine.memory[other] = machine.memory[top]
    machine.context(devfn: 0, table: top)
    machine.context(devfn: 8, table: other, domainID: 6)
    let (_, _, proof) = copyAndProve(machine.unit)
    #expect(proof.differences == [])
  }

  @Test func aPageThatIsATableAtTwoLevels() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1000, to: 0x9000, in: top)
    let third = machine.memory[top] & ~0xfff
    let second = machine.memory[third] & ~0xfff
    let first = machine.memory[second] & ~0xfff
    // The level 1 table is a level 2 table for the next GiB too.
    machine.memory[third + 8] = first | 3
    machine.memory.addPage(0x9000)
    machine.context(devfn: 0, table: top)
    let (_, copy, proof) = copyAndProve(machine.unit)
    #expect(outcomes(copy)[.mixedLevels] == .copied)
    #expect(proof.isIdentical)
  }

  @Test(arguments: [
    (Absence.notInDump, CopyProblem.Check.tableOutsideMemory),
    (.excluded, .tableMissing), (.corrupt(fileOffset: 0, "bad"), .tableMissing),
  ])
  func aTableThatCannotBeRead(_ absence: Absence, _ check: CopyProblem.Check) {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1000, to: 0x9000, in: top)
    machine.map(0x1_0000_0000, to: 0x9000, in: top)
    machine.context(devfn: 0, table: top)
    let third = machine.memory[top] & ~0xfff
    machine.memory.remove(machine.memory[third] & ~0xfff, absence)
    let (_, copy, proof) = copyAndProve(machine.unit)
    #expect(outcomes(copy)[check] == .dropped)
    // What is known is copied; that something is unknown is said.
    #expect(proof.differences.count == 1)
    #expect(proof.leaves == 1)
  }

  @Test func aHoleOfAnELFDumpCountsAsZeros() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.context(devfn: 0, table: top)
    machine.memory.remove(top, .zeroOrExcluded)
    let (_, copy, proof) = copyAndProve(machine.unit)
    #expect(outcomes(copy)[.assumedZero] == .copied)
    #expect(proof.isIdentical)
  }

  @Test func reservedBitsAreCopiedForHardwareToFaultOn() throws {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1000, to: 0x9000, in: top)
    // SNP in a table entry, and a 2 MiB page that is not aligned.
    machine.map(0x8000_0000, to: 0x9000, in: top)
    let third = machine.memory[top] & ~0xfff
    machine.memory[third + 16] |= 1 << 11
    machine.memory[third + 24] = 0x1000 | 0x83
    machine.context(devfn: 0, table: top)
    let (_, copy, proof) = copyAndProve(machine.unit)
    #expect(outcomes(copy)[.reservedBits] == .copied)
    #expect(outcomes(copy)[.misalignedPage] == .copied)
    #expect(proof.isIdentical)
    #expect(proof.leaves == 1)
  }

  @Test func addressesBeyondTheGuestWidthAreCountedAndCopied() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1000, to: 0x9000, in: top, levels: 5)
    machine.map(1 << 50, to: 0x9000, in: top, levels: 5)
    machine.context(devfn: 0, table: top, levels: 5)
    let (_, copy, proof) = copyAndProve(machine.unit)
    #expect(outcomes(copy)[.beyondGuestWidth] == .copied)
    #expect(proof.isIdentical)
  }

  @Test(arguments: [(0 as UInt64, 2 as UInt64), (4, 6), (5, 7), (7, 9)])
  func impossibleDepthsKeepTheirPointer(_ width: UInt64, _ levels: UInt64) {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.context(devfn: 0, table: top, levels: levels)
    let (_, copy, proof) = copyAndProve(machine.unit)
    #expect(copy.problems.counts[.fieldViolation, default: 0] > 0)
    if levels > 5 {
      #expect(copy.problems.list.contains { $0.outcome == .kept })
      #expect(copy.contexts.first?.new?.first == .exact(top | 1))
    }
    #expect(proof.isIdentical)
  }

  @Test func aDomainIDBeyondTheUnitsBoundIsNotReserved() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.context(devfn: 0, table: top, domainID: 256)
    machine.context(devfn: 8, table: top, domainID: 255)
    let (_, copy, _) = copyAndProve(machine.unit)
    #expect(copy.domainIDs == [255])
    #expect(outcomes(copy)[.domainIDOutOfRange] == .copied)
    #expect(outcomes(copy)[.tableWithTwoDomainIDs] == .copied)
    var copier = TableCopier(base: PhysicalAddress(1 << 40))
    let linux = copier.copyContexts(
      machine.unit, rule: ContextCopyRule(marker: .bitmap, readsHalves: false))
    #expect(linux.domainIDs == [255])
    #expect(linux.copied.count == 2)
  }

  /// The code of 2014 went by the id and would have given both devices the first table.
  @Test func oneDomainIDWithTwoTablesKeepsBoth() {
    var machine = LegacyMachine()
    let one = machine.page()
    let two = machine.page()
    machine.map(0x1000, to: 0x9000, in: one)
    machine.map(0x1000, to: 0xa000, in: two)
    machine.context(devfn: 0, table: one)
    machine.context(devfn: 8, table: two)
    let (_, copy, proof) = copyAndProve(machine.unit)
    #expect(outcomes(copy)[.domainIDWithTwoTables] == .copied)
    #expect(proof.isIdentical)
    #expect(proof.spaces == 2)
  }

  @Test func aContextTableThatIsMissingIsNoEmptyTable() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.context(devfn: 0, table: top)
    machine.memory[0x1000 + 9 * 16] = 0xdead_b001
    let (_, copy, _) = copyAndProve(machine.unit)
    #expect(copy.failedBuses == [9])
    #expect(copy.roots.last?.new == .exact(0))
  }

  @Test(arguments: [0, 1, 2, 3, 5, 9])
  func aPageBudgetEndsTheCopy(_ pages: Int) {
    var machine = LegacyMachine()
    let top = machine.page()
    for page: UInt64 in 0..<20 { machine.map(page << 30, to: 0x9000, in: top) }
    machine.context(devfn: 0, table: top)
    let (copier, copy, proof) = copyAndProve(machine.unit, budget: CopyBudget(pages: pages))
    #expect(copier.arena.pageCount <= pages)
    #expect(outcomes(copy)[.budget] == .ended)
    #expect(!proof.isIdentical)
  }

  /// Every entry of every level points to the next table: 512^3 ways to one page.
  @Test func tablesThatShareEverythingAreCopiedOnce() {
    var machine = LegacyMachine()
    let tables = (0..<4).map { _ in machine.page() }
    for level in 0..<3 {
      for index: UInt64 in 0..<512 {
        machine.memory[tables[level] + index * 8] = tables[level + 1] | 3
      }
    }
    machine.memory[tables[3]] = 0x9003
    machine.context(devfn: 0, table: tables[0])
    var copier = TableCopier(base: PhysicalAddress(1 << 40))
    let copy = copier.copyAll(machine.unit)
    #expect(copier.arena.pageCount == 6)
    #expect(copy.problems.list == [])
  }

  @Test func randomGarbageEndsInAStatedOutcome() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("random garbage: seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<10 {
      let memory = SyntheticMemory()
      // 64 pages that point to each other, or out of memory, with any attribute bits.
      for page: UInt64 in 1...64 {
        for index: UInt64 in 0..<512 where random.chance(20) {
          let target = random.next() % 80
          memory[page << 12 | index << 3] =
            target << 12 | random.next() & 0x7ff | (random.chance(5) ? random.next() : 0)
        }
      }
      for mode: TableMode in [.legacy, .extended, .scalable] {
        let unit = TranslationTables(
          memory: memory, rootTable: PhysicalAddress(0x1000), mode: mode,
          capabilities: LegacyMachine.capabilities)
        let budget = CopyBudget(
          pages: 3000, walk: WalkBudget(tables: 500, revisits: 100, lookups: 2000),
          contexts: ContextBudget(pages: 300, paths: 60, directoryEntries: 300, obstacles: 200))
        var copier = TableCopier(base: PhysicalAddress(1 << 40), budget: budget)
        _ = copier.copyAll(unit)
        _ = copier.copyContexts(unit, rule: ContextCopyRule(marker: .bit67, readsHalves: false))
        _ = copier.copyContexts(
          unit, rule: ContextCopyRule(marker: .bitmap, readsHalves: true, upperOnly: .lowerHalf))
        _ = copier.block(unit, except: [0, 8])
        #expect(copier.arena.pageCount <= 3000)
      }
    }
  }
}
