// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import TableCopy
import TableFixtures
import Testing
import VTd

/// The two places where an accumulator of ranges goes wrong: the end that belongs to the range, and
/// the last range, which nothing follows.
struct IOVACollectorTests {
  private func ranges(_ pages: [(UInt64, Int)], levels: Int = 4) -> [ClosedRange<UInt64>] {
    var machine = LegacyMachine()
    let top = machine.page()
    for (iova, level) in pages {
      machine.map(iova, to: 0x4000_0000, in: top, levels: levels, level: level)
    }
    var collector = IOVACollector()
    PageTableWalk(
      memory: machine.memory, space: .secondStage(PhysicalAddress(top), levels: levels)
    ).run(&collector)
    return collector.ranges
  }

  @Test func theEndIsTheLastByteNotTheNextPage() {
    #expect(ranges([(0x5000, 1)]) == [0x5000...0x5fff])
    // With an exclusive end in an inclusive place these two would swallow the page between them.
    #expect(ranges([(0x5000, 1), (0x7000, 1)]) == [0x5000...0x5fff, 0x7000...0x7fff])
  }

  @Test func theLastRangeIsNotLost() {
    #expect(ranges([(0x5000, 1), (0x9000, 1)]).count == 2)
    #expect(ranges([(0xffff_ffff_f000, 1)]) == [0xffff_ffff_f000...0xffff_ffff_ffff])
  }

  @Test func neighboursAreOneRangeAcrossTablesAndSizes() {
    #expect(
      ranges([(0x1f_f000, 1), (0x20_0000, 2), (0x40_0000, 1)]) == [0x1f_f000...0x40_0fff])
  }

  @Test func aWalkOfNothingHasNoRange() {
    #expect(ranges([]) == [])
  }

  @Test func theFirstStageReachesTheLastByteOfTheSpace() {
    let memory = SyntheticMemory()
    memory[0x1000 + 511 * 8] = 0x2007
    memory[0x2000 + 511 * 8] = 0x3007
    memory[0x3000 + 511 * 8] = 0x4007
    memory[0x4000 + 511 * 8] = 0x5007
    var collector = IOVACollector()
    PageTableWalk(
      memory: memory, space: .firstStage(PhysicalAddress(0x1000), levels: 4)
    ).run(&collector)
    #expect(collector.ranges == [0xffff_ffff_ffff_f000...UInt64.max])
  }
}
