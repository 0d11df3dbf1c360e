// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

/// Level 1 tables as a whole, and entry by entry, are the same to a visitor.
struct TablePagesTests {
  /// Counts what is mapped, with whole tables where it can have them.
  private struct Tally: PagingVisitor {
    static let takesWholeTables = true
    var leaves = 0
    var runs = 0
    var whole = 0
    var reserved = 0
    private var last = RunMerger()

    mutating func pages(_ table: PagingTable, _ pages: TablePages) -> Bool {
      whole += 1
      guard let ends = pages.ends else { return true }
      leaves += pages.leaves
      runs += pages.runs - (last.isContinued(by: ends.first) ? 1 : 0)
      last = RunMerger(ends.last)
      return true
    }

    mutating func leaf(_ leaf: PagingLeaf) {
      leaves += 1
      let run = MappedRun(
        iova: leaf.iova, length: leaf.length, physical: leaf.physical, access: leaf.access)
      if !last.isContinued(by: run) { runs += 1 }
      last = RunMerger(run)
    }

    mutating func obstacle(_ obstacle: PagingObstacle) {
      if obstacle.kind.category == .reservedBits { reserved += 1 }
    }
  }

  /// A few tables side by side, with gaps, rights, runs that cross tables, and bits that a unit does
  /// not allow.
  @Test(arguments: [Stage.first, .second], [1, 2, 3, 4, 5, 6] as [UInt64])
  func agreesWithTheWalk(_ stage: Stage, _ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let count: UInt64 = 12
    var tables: [UInt64: [UInt64]] = [1: [2 << 12 | 7] + [UInt64](repeating: 0, count: 511)]
    // Rights above differ, so that some tables may be read or written alone.
    tables[2] =
      (0..<count).map { (16 + $0) << 12 | (stage == .first ? 5 : 1) | random.next() & 2 }
      + [UInt64](repeating: 0, count: 512 - Int(count))
    var physical: UInt64 = 0x1_0000_0000
    for table in 0..<count {
      tables[16 + table] = (0..<512).map { _ in
        switch random.next() % 24 {
        case 0: return 0
        case 1: physical = random.next() & 0xff_ffff_f000
        case 2: return physical | 0xff8
        case 3: return physical | random.next() & 7
        // Software may use these bits.
        case 4: return physical | 7 | 1 << 52
        case 5 where table % 3 == 0 && stage == .second: return physical | 3 | 1 << 7
        default: break
        }
        physical += 4096
        return physical - 4096 | 7
      }
    }
    let walk = PageTableWalk(
      memory: SyntheticMemory(tables: tables),
      space: AddressSpace(
        stage: stage, root: StageRoot(table: PhysicalAddress(1 << 12), levels: 3)))
    var collector = RunCollector()
    let expected = walk.run(&collector)
    var tally = Tally()
    #expect(walk.run(&tally) == expected)
    #expect(tally.leaves == collector.leaves)
    #expect(tally.runs == collector.runs.count)
    #expect(tally.reserved == collector.obstacleCounts[.reservedBits, default: 0])
    #expect(tally.whole > 0)
  }
}
