// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import Testing

@testable import Carving

/// Pages that were made to look like root tables, so that a real one is not found.
struct ForgedRootTests {
  /// Forged pages from frame 0x10000 on, and a real root behind them.
  ///
  /// Each forged one has 512 halves present that all lead to one context table, sound in itself.
  private static func memory(forged: Int, real: Bool = true) -> SyntheticMemory {
    var tables: [UInt64: [UInt64]] = [:]
    let first: UInt64 = 0x1_0000
    func table(_ words: [Int: UInt64]) -> [UInt64] {
      (0..<512).map { words[$0] ?? 0 }
    }
    // What the forged ones share: contexts that lead to a page of another kind.
    tables[2] = (0..<512).map { $0 % 2 == 0 ? 0x3001 : 0x2 | UInt64($0) << 8 }
    tables[3] = Array(repeating: 0xffff_ffff_ffff_ffff, count: 512)
    for index in 0..<UInt64(forged) {
      tables[first + index] = (0..<512).map { $0 % 2 == 0 ? 0x2001 : 0 }
    }
    if real {
      let root = first + UInt64(forged)
      tables[root] = table([0: (root + 1) << 12 | 1])
      tables[root + 1] = table([0x20: (root + 2) << 12 | 1, 0x21: 0x402])
      tables[root + 2] = table([0: 0x3003])
    }
    return SyntheticMemory(tables: tables)
  }

  @Test func `five thousand forged roots do not hide a real one`() {
    let memory = Self.memory(forged: 5_000)
    let work = WorkBudget(WorkLimits())
    work.grant(pages: 5_005)
    let roots = RootCarver(memory: memory, work: work).roots(in: memory.storedFrames)
    #expect(roots.map(\.address) == [PhysicalAddress((0x1_0000 + 5_000) << 12)])
    #expect(work.cuts.isEmpty)
  }

  @Test func `what was not looked into is said`() throws {
    let memory = Self.memory(forged: 200, real: false)
    // All pages can be seen, and next to none looked into.
    let work = WorkBudget(
      WorkLimits(entries: memory.frames.count * 64 + 100, runs: 1 << 20))
    #expect(RootCarver(memory: memory, work: work).roots(in: memory.storedFrames).isEmpty)
    let cut = try #require(work.cuts.first)
    #expect(cut.what == .entries)
    #expect(cut.detail.contains("of 200 pages with the shape of a root table"))
  }

  /// Holes of a sparse file, or bytes that many segments share, are pages without end.
  @Test func `pages without end are looked at as far as they are paid for`() throws {
    let work = WorkBudget(WorkLimits(entries: 1 << 20))
    let memory = SyntheticMemory([:], memory: [0..<1 << 40])
    #expect(RootCarver(memory: memory, work: work).roots(in: [0..<1 << 40]).isEmpty)
    #expect(work.cuts.map(\.detail) == ["the search for root tables"])
    #expect(work.left(.entries) == 0)
  }

  @Test func `more roots than can be listed are counted`() throws {
    // Sound pass-through contexts: every copy of the root is as good as the first.
    var tables: [UInt64: [UInt64]] = [:]
    tables[2] = (0..<512).map { $0 < 2 ? [0x9, 0x102][$0] : 0 }
    for frame in 0x100..<UInt64(0x100 + 1200) {
      tables[frame] = (0..<512).map { $0 == 0 ? 0x2001 : 0 }
    }
    let memory = SyntheticMemory(tables: tables)
    let work = WorkBudget()
    let roots = RootCarver(memory: memory, work: work).roots(in: memory.storedFrames)
    #expect(roots.count == 512)
    #expect(work.cuts.first?.detail.contains("688 with the lowest scores are left out") == true)
  }
}
