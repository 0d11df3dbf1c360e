// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import TableFixtures
import Testing
import VTd

@testable import TableCopy

/// A copy with one word changed is told with the first place where it differs.
struct DamagedCopyTests {
  struct Damage: CustomTestStringConvertible, Sendable {
    /// The I/O virtual address whose entry is changed, at a level, and what becomes of it.
    var iova: UInt64
    var level: Int
    var change: @Sendable (UInt64) -> UInt64
    /// Where the difference is said to be, and words of what is said.
    var told: UInt64?
    var text: String
    var testDescription: String { text }
  }

  static let damages: [Damage] = [
    Damage(
      iova: 0x1000_5000, level: 1, change: { $0 ^ 0x4000_0000 }, told: 0x1000_0000,
      text: "the original maps"),
    Damage(
      iova: 0x1000_0000, level: 1, change: { _ in 0 }, told: 0x1000_0000, text: "the copy maps"),
    Damage(
      iova: 0x1010_0000, level: 1, change: { _ in 0x77_7000 | 3 }, told: 0x1010_0000,
      text: "the copy maps"),
    Damage(
      iova: 0x1000_7000, level: 1, change: { $0 & ~2 }, told: 0x1000_0000,
      text: "the original maps"),
    // A bit that maps the same page, and another that software may use.
    Damage(iova: 0x1000_3000, level: 1, change: { $0 | 1 << 52 }, told: nil, text: "leaves differ"),
    Damage(
      iova: 0x4000_0000, level: 2, change: { $0 + 0x20_0000 }, told: 0x4000_0000,
      text: "the original maps"),
    Damage(
      iova: 0x1000_0000, level: 2, change: { _ in 0 }, told: 0x1000_0000, text: "maps"),
  ]

  @Test(arguments: damages) func isFound(_ damage: Damage) throws {
    var machine = LegacyMachine()
    let top = machine.page()
    for page: UInt64 in 0..<20 {
      machine.map(0x1000_0000 + page << 12, to: 0x9_0000_0000 + page << 12, in: top)
    }
    machine.map(0x4000_0000, to: 0x4000_0000, in: top, level: 2)
    machine.context(devfn: 0x10, table: top)
    let (copier, copy, proof) = copyAndProve(machine.unit)
    #expect(proof.differences == [])
    #expect(proof.leaves == 21)
    #expect(proof.runs == 2)
    #expect(proof.bytes == 20 << 12 + 2 << 20)

    var table = try #require(copy.spaces.first?.new?.root.table)
    for level in stride(from: 4, to: damage.level, by: -1) {
      let word = try copier.arena.page(table.frame)[
        word: Int(damage.iova >> UInt64(3 + 9 * level) & 511)]
      table = PhysicalAddress(word & ~0xfff)
    }
    let index = Int(damage.iova >> UInt64(3 + 9 * damage.level) & 511)
    let word = try copier.arena.page(table.frame)[word: index]
    let before = machine.memory[top]
    copier.arena.store(damage.change(word), at: PhysicalAddress(table.rawValue + UInt64(index) * 8))
    var verifier = CopyVerifier(copier.arena, original: machine.unit)
    let differences = verifier.verify(copy).differences
    #expect(differences.count == 1)
    #expect(differences.first?.iova?.rawValue == damage.told)
    #expect(differences.first?.what.contains(damage.text) == true)
    // What the copy shares with the original is not written.
    #expect(machine.memory[top] == before)
    #expect(copyAndProve(machine.unit).proof.isIdentical)
  }

  /// Whatever a run may still spend, the answer and the price are those of a comparison run by run.
  @Test(arguments: 0..<40) func budgetsCutAlike(_ step: Int) {
    var machine = LegacyMachine()
    let top = machine.page()
    for page: UInt64 in 0..<2000 { machine.map(page << 13, to: page << 20, in: top) }
    machine.map(1 << 40, to: 1 << 30, in: top, level: 3, rights: 2)
    // A table that is met again, and one on its own path.
    machine.memory[top + 8 * 200] = machine.memory[top]
    machine.memory[(machine.memory[top] & ~0xfff) + 8 * 100] = machine.memory[top]
    machine.context(devfn: 0x10, table: top)
    var copier = TableCopier(base: PhysicalAddress(1 << 40))
    let copy = copier.copyAll(machine.unit)
    var results: [(proof: CopyProof, entries: Int, revisits: Int)] = []
    for isInStep in [true, false] {
      let work = WorkBudget(WorkLimits(entries: step * 1000))
      var verifier = CopyVerifier(
        copier.arena, original: machine.unit, budget: CopyBudget(work))
      verifier.comparesInStep = isInStep
      let proof = verifier.verify(copy)
      results.append((proof, work.left(.entries), work.left(.revisits)))
    }
    #expect(results[0].proof == results[1].proof)
    #expect(results[0].entries == results[1].entries)
    #expect(results[0].revisits == results[1].revisits)
  }
}
