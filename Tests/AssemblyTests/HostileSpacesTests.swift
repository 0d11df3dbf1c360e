// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import TableFixtures
import Testing

@testable import Assembly

/// Few table pages that stand for any amount of address space.
struct HostileSpacesTests {
  private func state(_ memory: any PhysicalMemory, _ work: WorkBudget) -> RemappingState {
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

  /// Spaces that are walked on all processors are those that are walked one after another, and so are
  /// the places where a budget ends them.
  @Test func `walking ahead changes nothing`() {
    var random = SeededGenerator(seed: 16)
    let spaces = 24
    let lowest = 32
    var tables: [UInt64: [UInt64]] = [:]
    func table(_ words: [Int: UInt64]) -> [UInt64] { (0..<512).map { words[$0] ?? 0 } }
    var contexts: [Int: UInt64] = [:]
    for space in 0..<spaces {
      let top = UInt64(0x100 + (lowest + 3) * space)
      contexts[2 * space] = top << 12 | 1
      contexts[2 * space + 1] = UInt64(space + 1) << 8 | 2
      for level in 0..<2 as Range<UInt64> {
        tables[top + level] = table([0: (top + level + 1) << 12 | 3])
      }
      tables[top + 2] = table(
        Dictionary(
          uniqueKeysWithValues: (0..<lowest).map { ($0, (top + 3 + UInt64($0)) << 12 | 3) }))
      for number in 0..<UInt64(lowest) {
        var next = random.next() & 0xff_ffff_f000
        tables[top + 3 + number] = (0..<512).map { _ in
          next = random.chance(12) ? random.next() & 0xff_ffff_f000 : next + 4096
          return next | (random.chance(1) ? 0 : 3)
        }
      }
      // One table is also another space's, and one leads to itself.
      if space == 20 { tables[top + 2]?[40] = UInt64(0x100 + 3) << 12 | 3 }
      if space == 21 { tables[top + 1]?[7] = (top + 1) << 12 | 3 }
    }
    tables[1] = table([0: 0x2001])
    tables[2] = table(contexts)
    let memory = SyntheticMemory(tables: tables)
    let whole = WorkLimits()
    let limits =
      [whole] + [100_000, 200_000, 300_000, 400_000, 440_000].map { WorkLimits(entries: $0) }
      + [1000, 20_000, 40_000, 55_000].map { WorkLimits(runs: $0) }
    var cuts = 0
    for limits in limits {
      func state(_ memory: any PhysicalMemory) -> RemappingState {
        let work = WorkBudget(limits)
        work.grant(pages: tables.count)
        return self.state(memory, work)
      }
      let expected = state(memory)
      #expect(state(FreeMemory(memory)) == expected, "\(limits)")
      if !expected.cuts.isEmpty { cuts += 1 }
    }
    // The largest limits are just enough.
    #expect(cuts == limits.count - 3)
  }
}

/// A memory that any number of threads may read ahead.
private final class FreeMemory: PhysicalMemory {
  private let wrapped: SyntheticMemory

  init(_ wrapped: SyntheticMemory) { self.wrapped = wrapped }

  var isFreeToRead: Bool { true }
  var memoryFrames: [Range<UInt64>] { wrapped.memoryFrames }

  func page(_ frame: UInt64) throws(MemoryError) -> Page { try wrapped.page(frame) }

  func absence(_ frame: UInt64) -> Absence? { wrapped.absence(frame) }
}
