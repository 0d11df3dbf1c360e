// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import TableFixtures
import Testing

@testable import Assembly

/// Few table pages that stand for any amount of address space.
struct HostileSpacesTests {
  private func state(_ memory: SyntheticMemory, _ work: WorkBudget) -> RemappingState {
    RemappingState(
      DumpSummary(file: "vmcore", format: "elf"), memory: memory,
      roots: [RootTable(address: PhysicalAddress(0x1000), mode: .legacy, origin: .given)],
      work: work)
  }

  @Test func `twenty-four contexts over shared pages are one run's work`() {
    let memory = SyntheticMemory.sharedTables(spaces: 24)
    let work = WorkBudget(WorkLimits())
    // As many pages as the file of 7.7 MB had.
    work.grant(pages: 1900)
    let clock = ContinuousClock()
    var state: RemappingState?
    let took = clock.measure { state = self.state(memory, work) }
    let runs = state?.domains.reduce(0) { $0 + ($1.mapping?.runs.count ?? 0) } ?? 0
    #expect(state?.domains.count == 24)
    #expect(runs <= work.limit(.runs))
    #expect(state?.domains.allSatisfy { $0.walk?.budgetExhausted == true } == true)
    #expect(Set(state?.cuts.map(\.what) ?? []) == [.revisits, .runs])
    #expect(state?.cuts.allSatisfy { $0.unit == "given0" } == true)
    // A debug build on a loaded machine; the release takes less than a second.
    #expect(took < .seconds(60))
  }

  @Test func `a space that is its own is walked whole, however many there are`() {
    // One table page each, 24 of them: nothing is shared but the lowest levels' shape.
    var tables: [UInt64: [UInt64]] = [:]
    func table(_ words: [Int: UInt64]) -> [UInt64] { (0..<512).map { words[$0] ?? 0 } }
    var contexts: [Int: UInt64] = [:]
    for space in 0..<24 {
      let top = UInt64(0x100 + 4 * space)
      contexts[2 * space] = top << 12 | 1
      contexts[2 * space + 1] = UInt64(space + 1) << 8 | 2
      for level in 0..<3 as Range<UInt64> {
        tables[top + level] = table([0: (top + level + 1) << 12 | 3])
      }
      tables[top + 3] = (0..<512 as Range<UInt64>).map { (0x2000 + 2 * $0) << 12 | 3 }
    }
    tables[1] = table([0: 0x2001])
    tables[2] = table(contexts)
    let work = WorkBudget(WorkLimits())
    work.grant(pages: tables.count)
    let state = state(SyntheticMemory(tables: tables), work)
    #expect(state.domains.count == 24)
    #expect(state.domains.allSatisfy { $0.mapping?.runs.count == 512 })
    #expect(state.cuts.isEmpty)
  }

  @Test func `contexts end where the run ends, and the unit is named`() {
    let work = WorkBudget(WorkLimits(entries: 600, runs: 100))
    let state = state(SyntheticMemory.sharedTables(spaces: 24), work)
    #expect(state.contexts.count <= 12)
    #expect(state.cuts.contains { $0.unit == "given0" && $0.detail.contains("context") })
  }
}
