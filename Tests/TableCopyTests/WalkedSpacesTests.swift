// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import TableFixtures
import Testing
import VTd

@testable import TableCopy

/// A copy of spaces that a walk has found before is the copy of unknown ones, and cheaper.
struct WalkedSpacesTests {
  private static let base = PhysicalAddress(1 << 40)

  /// What a walk finds of each space of a machine, where it finds no reserved bits.
  private func walked(_ machine: LegacyMachine) -> WalkedSpaces {
    var walked = WalkedSpaces()
    for path in machine.unit.read().paths {
      guard let space = path.addressSpace else { continue }
      var collector = RunCollector()
      let statistics = PageTableWalk(
        memory: machine.memory, space: space, unit: LegacyMachine.capabilities
      ).run(&collector)
      guard statistics.reservedBits == 0 else { continue }
      walked[space, below: LegacyMachine.capabilities] = WalkedSpaces.Space(
        leaves: collector.leaves, runs: collector.runs.count, bytes: collector.bytes)
    }
    return walked
  }

  /// Four contexts: plain pages, large pages and rights, tables that are shared and met again, and
  /// reserved bits. The last one reaches beyond what the unit translates.
  private func machine() -> LegacyMachine {
    var machine = LegacyMachine()
    let plain = machine.page()
    for page: UInt64 in 0..<1500 { machine.map(page << 13, to: page << 20, in: plain) }
    machine.context(devfn: 0x08, table: plain, domainID: 5)
    let mixed = machine.page()
    machine.map(1 << 40, to: 1 << 30, in: mixed, level: 3, rights: 2)
    machine.map(1 << 30, to: 3 << 21, in: mixed, level: 2, rights: 1)
    for page: UInt64 in 0..<40 { machine.map(page << 12, to: page << 12, in: mixed, rights: 1) }
    machine.memory[mixed + 8 * 200] = machine.memory[mixed]
    machine.memory[(machine.memory[mixed] & ~0xfff) + 8 * 100] = machine.memory[plain]
    machine.context(devfn: 0x10, table: mixed, domainID: 6)
    let reserved = machine.page()
    machine.map(0x5000, to: 0x7000, in: reserved)
    machine.map(0x6000, to: 0x8000, in: reserved, rights: 3 | 1 << 11)
    machine.context(devfn: 0x18, table: reserved, domainID: 7)
    let wide = machine.page()
    machine.map(0x9000, to: 0x9000, in: wide, levels: 5)
    machine.map(1 << 50, to: 0xa000, in: wide, levels: 5)
    machine.context(devfn: 0x20, table: wide, levels: 5, domainID: 8)
    return machine
  }

  private func everything(
    _ machine: LegacyMachine, _ walked: WalkedSpaces
  ) -> (arena: TableArena, copy: UnitCopy, proof: CopyProof) {
    var copier = TableCopier(base: Self.base, walked: walked)
    let copy = copier.copyAll(machine.unit)
    var verifier = CopyVerifier(copier.arena, original: machine.unit, walked: walked)
    return (copier.arena, copy, verifier.verify(copy))
  }

  @Test func changeNothing() throws {
    let machine = machine()
    let known = walked(machine)
    #expect(
      machine.unit.read().paths.filter {
        $0.addressSpace.map { known[$0, below: LegacyMachine.capabilities] != nil } ?? false
      }.count == 3)
    let plain = everything(machine, WalkedSpaces())
    let cheap = everything(machine, known)
    #expect(plain.copy.problems.counts[.reservedBits] == 1)
    #expect(plain.copy.problems.counts[.beyondGuestWidth] == 1)
    #expect(plain.proof.leaves > 1500)
    #expect(cheap.copy.problems == plain.copy.problems)
    #expect(cheap.copy.roots == plain.copy.roots)
    #expect(cheap.copy.contexts == plain.copy.contexts)
    #expect(cheap.copy.spaces == plain.copy.spaces)
    #expect(cheap.copy.pages == plain.copy.pages)
    #expect(cheap.proof == plain.proof)
    #expect(cheap.arena.memoryFrames == plain.arena.memoryFrames)
    for frame in plain.arena.memoryFrames.joined() {
      #expect(try cheap.arena.page(frame).hasSameBytes(as: plain.arena.page(frame)))
    }
  }

  /// What is known of the original proves nothing of its copy.
  @Test func excuseNoDifference() throws {
    let machine = machine()
    let known = walked(machine)
    var copier = TableCopier(base: Self.base, walked: known)
    let copy = copier.copyAll(machine.unit)
    var table = try #require(copy.spaces.first?.new?.root.table)
    for _ in 0..<3 {
      table = PhysicalAddress(try copier.arena.page(table.frame)[word: 0] & ~0xfff)
    }
    copier.arena.store(0x1234_5003, at: table)
    var verifier = CopyVerifier(copier.arena, original: machine.unit, walked: known)
    let difference = try #require(verifier.verify(copy).differences.first)
    #expect(difference.devfn == 0x08)
    #expect(difference.iova?.rawValue == 0)
  }

  /// Of another unit, whose entries have other reserved bits, nothing is known.
  @Test func belongToTheirUnit() throws {
    let machine = machine()
    let known = walked(machine)
    let space = try #require(machine.unit.read().paths.first?.addressSpace)
    var other = LegacyMachine.capabilities
    other.hostAddressWidth = 39
    #expect(known[space, below: LegacyMachine.capabilities]?.leaves == 1500)
    #expect(known[space, below: other] == nil)
  }
}
