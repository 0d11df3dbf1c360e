// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import TableCopy
import TableFixtures
import Testing
import VTd

/// Random tables of 3 to 5 levels with large pages, shared and aliased tables: the copy translates as
/// the original does, and the reserved addresses are exactly the mapped ones.
///
/// `TABLECOPY_CASES` sets the number of cases and `TABLECOPY_SEED` repeats a run.
struct RandomTablesTests {
  @Test func copiesTranslateAsTheirOriginals() {
    let cases = environmentNumber("TABLECOPY_CASES", default: 60)
    let seed = UInt64(
      environmentNumber("TABLECOPY_SEED", default: Int.random(in: 0...Int.max)))
    print("random tables: \(cases) cases, TABLECOPY_SEED=\(seed)")
    var random = SeededGenerator(seed: seed)
    for number in 0..<cases {
      let machine = Self.machine(&random)
      let (copier, copy, proof) = copyAndProve(machine.unit)
      #expect(proof.differences == [], "case \(number) of seed \(seed)")
      #expect(copy.problems.list.allSatisfy { $0.outcome == .copied })
      for space in copy.spaces {
        var old = IOVACollector()
        var new = IOVACollector()
        var runs = RunCollector()
        PageTableWalk(memory: machine.memory, space: space.old, unit: LegacyMachine.capabilities)
          .run(&old)
        PageTableWalk(memory: machine.memory, space: space.old, unit: LegacyMachine.capabilities)
          .run(&runs)
        if let space = space.new {
          PageTableWalk(memory: copier.arena, space: space, unit: LegacyMachine.capabilities)
            .run(&new)
        }
        #expect(old.ranges == new.ranges, "case \(number) of seed \(seed)")
        // Independently: every mapped page is in a range, and no range has a page more.
        let mapped = runs.runs.reduce(0 as UInt64) { $0 + $1.length }
        let reserved = old.ranges.reduce(0 as UInt64) { $0 + ($1.upperBound - $1.lowerBound + 1) }
        #expect(mapped == reserved, "case \(number) of seed \(seed)")
        for run in runs.runs {
          let last = run.iova.rawValue + (run.length - 1)
          #expect(old.ranges.contains { $0.contains(run.iova.rawValue) && $0.contains(last) })
        }
      }
    }
  }

  /// One unit with up to five devices and up to four table sets.
  static func machine(_ random: inout SeededGenerator) -> LegacyMachine {
    var machine = LegacyMachine()
    var tops: [(table: UInt64, levels: Int)] = []
    for _ in 0...(random.next() % 4) {
      // 4 and 5 levels, and 3: SAGAW has them all.
      let levels = 3 + Int(random.next() % 3)
      let top = machine.page()
      tops.append((top, levels))
      let width = UInt64(min(12 + 9 * levels, 48))
      for _ in 0...(random.next() % 12) {
        var iova = random.next() & ((1 << width) - 1)
        // Dense neighbourhoods and the ends of the space are where errors hide.
        switch random.next() % 4 {
        case 0: iova &= 0x3f_ffff
        case 1: iova |= ((1 << width) - 1) & ~0x3f_ffff
        default: break
        }
        let level = random.chance(80) ? 1 : random.chance(70) ? 2 : 3
        let size: UInt64 = 4096 << UInt64(9 * (level - 1))
        iova &= ~(size - 1)
        let physical = random.next() & 0xff_ffff_f000 & ~(size - 1)
        let rights = 1 + random.next() % 3
        for step in 0...(random.next() % 5) {
          let next = iova + step * size
          guard next < 1 << width else { break }
          machine.mapUnlessTaken(
            next, to: physical + step * size, in: top, levels: levels, level: level,
            rights: rights)
        }
      }
      // Alias: one table from two entries of its parent.
      if random.chance(30) {
        let from = random.next() % 512
        let to = random.next() % 512
        if machine.memory[top + from * 8] & 3 != 0, machine.memory[top + from * 8] & 0x80 == 0 {
          machine.memory[top + to * 8] = machine.memory[top + from * 8]
        }
      }
      // Share a lower table with another set of the same depth.
      if random.chance(30), let other = tops.dropLast().first(where: { $0.levels == levels }) {
        let slot = random.next() % 512
        machine.memory[top + slot * 8] = machine.memory[other.table + slot * 8]
      }
    }
    for device in 0...(random.next() % 5) {
      let top = tops[Int(random.next() % UInt64(tops.count))]
      machine.context(
        bus: random.next() % 3, devfn: device * 8 + random.next() % 8, table: top.table,
        levels: UInt64(top.levels), domainID: 1 + random.next() % 250)
    }
    return machine
  }
}

extension LegacyMachine {
  /// Maps a page where no large page is in the way and no table would be overwritten.
  fileprivate mutating func mapUnlessTaken(
    _ iova: UInt64, to physical: UInt64, in table: UInt64, levels: Int, level: Int, rights: UInt64
  ) {
    var above = table
    for step in stride(from: levels, through: level, by: -1) {
      let word = memory[above + (iova >> UInt64(3 + 9 * step) & 511) * 8]
      if word & 3 == 0 { break }
      if step == level || word & 0x80 != 0 { return }
      above = word & ~0xfff
    }
    map(iova, to: physical, in: table, levels: levels, level: level, rights: rights)
  }
}
