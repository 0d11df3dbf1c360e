// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

@testable import Assembly

/// A walk in parts, or none, is the walk from the top.
struct SplitWalkTests {
  /// Tables of four levels, filled at random: large pages, gaps, rights of all kinds, and what is wrong.
  private struct Tables {
    var words: [UInt64: [UInt64]] = [:]
    var absences: [UInt64: Absence] = [:]
    var random: SeededGenerator
    /// The page that is mapped next.
    var next: UInt64 = 0x40_0000_0000

    /// - Parameter faults: in 1000 entries; 0 for honest tables.
    init(seed: UInt64, faults: Int) {
      random = SeededGenerator(seed: seed)
      add(level: 4, frame: 1, entries: 2, faults)
    }

    private mutating func add(level: Int, frame: UInt64, entries: Int, _ faults: Int) {
      var table = [UInt64](repeating: 0, count: 512)
      let span = UInt64(1) << UInt64(12 + 9 * (level - 1))
      // Neighbours, so that runs go on from one table into the next.
      let first = random.chance(50) ? 0 : Int.random(in: 0...512 - entries, using: &random)
      for index in first..<first + entries {
        let isPage = level == 1 || level < 4 && random.chance(10)
        if random.chance(8) { continue }
        if Int.random(in: 0..<1000, using: &random) < faults {
          switch Int.random(in: 0..<3, using: &random) {
          case 0: table[index] = 1 << 62 | 3
          case 1: table[index] = UInt64.random(in: 1..<40, using: &random) << 12 | 3
          default: table[index] = 0x7f_ffff << 12 | 3
          }
        } else if isPage {
          if random.chance(12) || next & (span - 1) != 0 {
            next = UInt64.random(in: 1..<1 << 18, using: &random) << 21 & ~(span - 1)
          }
          table[index] = next | (level > 1 ? 0x80 : 0) | (random.chance(3) ? 1 : 3)
          next += span
        } else {
          let below = UInt64(words.count + 2)
          table[index] = below << 12 | 3
          words[below] = []
          add(level: level - 1, frame: below, entries: level == 2 ? 512 : 6, faults)
          if faults > 0, random.chance(2) { absences[below] = .notInDump }
        }
      }
      words[frame] = table
    }
  }

  private struct Outcome: Equatable {
    var runs: [Run]
    var numbers: [UInt64]
    var obstacles: [PagingObstacle]
    var counts: [PagingObstacle.Category: Int]
    var tables: [TableInventory.PageTable]
    var statistics: WalkStatistics
    var left: [Int]

    init(_ found: Gathered, _ statistics: WalkStatistics, _ work: WorkBudget) {
      runs = found.runs
      numbers = [
        UInt64(found.leaves), found.bytes, found.bytesOutsideMemory, UInt64(found.runsDropped),
      ]
      obstacles = found.obstacles.obstacles
      counts = found.obstacles.counts
      tables = found.tables
      self.statistics = statistics
      // What is left of a walk's own budget is of no use behind it.
      self.statistics.remaining = WalkBudget()
      left = WorkPart.allCases.map { work.left($0) }
    }
  }

  private func outcomes(
    _ tables: Tables, _ limits: WorkLimits
  ) -> (whole: Outcome, split: Outcome?) {
    var words: [UInt64: UInt64] = [:]
    for (frame, table) in tables.words {
      words[frame << 12] = table.first ?? 0
      for (index, word) in table.enumerated() where word != 0 {
        words[frame << 12 | UInt64(index * 8)] = word
      }
    }
    let memory = SyntheticMemory(
      words, absences: Dictionary(uniqueKeysWithValues: tables.absences.map { ($0 << 12, $1) }))
    let ranges = AddressRanges([0...0x20_0000_0fff, 0x40_0000_0000...0x40_3fff_ffff])
    let space = AddressSpace.secondStage(PhysicalAddress(0x1000), levels: 4)
    func budget() -> WorkBudget {
      let work = WorkBudget(limits)
      work.grant(pages: tables.words.count)
      return work
    }
    let work = budget()
    var collector = MappingCollector(memory: ranges, runLimit: work.left(.runs))
    let statistics = PageTableWalk(memory: memory, space: space, work: work).run(&collector)
    let whole = Outcome(collector.found, statistics, work)
    let other = budget()
    let walk = PageTableWalk(memory: memory, space: space, work: other)
    let split = SplitWalk(walk, memory: ranges, work: other)?.run(leastEntries: 1, threads: 3)
    if split == nil {
      #expect(
        WorkPart.allCases.map { other.left($0) } == WorkPart.allCases.map { budget().left($0) })
    }
    return (whole, split.map { Outcome($0.found, $0.statistics, other) })
  }

  @Test(arguments: [0, 1, 4] as [Int], 1...6 as ClosedRange<UInt64>)
  func `parts find what the whole finds`(_ faults: Int, _ seed: UInt64) throws {
    let (whole, split) = outcomes(Tables(seed: seed, faults: faults), WorkLimits())
    #expect(!whole.runs.isEmpty)
    if faults == 0 {
      #expect(try #require(split) == whole)
    } else if let split {
      #expect(whole.statistics.aliases == 0)
      #expect(split == whole)
    }
  }

  @Test func `tables that are met twice are left to the walk from the top`() {
    var tables = Tables(seed: 7, faults: 0)
    let level2 = tables.words.filter { $0.key > 1 && $0.value.contains { $0 & 0x83 == 3 } }.keys
      .sorted()
    tables.words[level2[0]]?[511] = (level2[1] + 1) << 12 | 3
    let (whole, split) = outcomes(tables, WorkLimits())
    #expect(whole.statistics.aliases > 0)
    #expect(split == nil)
  }

  @Test func `what a budget would cut is left to the walk from the top`() throws {
    let tables = Tables(seed: 8, faults: 0)
    let (whole, split) = outcomes(tables, WorkLimits())
    let count = try #require(split).runs.count
    let entries = tables.words.count * 512
    for limits in [WorkLimits(runs: count), WorkLimits(entries: entries)] {
      let (whole, split) = outcomes(tables, limits)
      #expect(try #require(split) == whole)
    }
    for limits in [WorkLimits(runs: count - 1), WorkLimits(entries: entries - 512)] {
      let (cut, split) = outcomes(tables, limits)
      #expect(cut != whole)
      #expect(split == nil)
    }
  }
}
