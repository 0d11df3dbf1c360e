// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

/// First-stage tables in guest memory over a second stage.
///
/// Host frames 0x100 and up hold the second stage, which puts the guest's memory somewhere else.
struct NestedWalkTests {
  private static let top = PhysicalAddress(0x10_0000)

  /// A 3-level second stage that maps guest pages as listed.
  private static func secondStage(
    _ pages: [(guest: UInt64, host: UInt64, rights: UInt64)], large: [(UInt64, UInt64)] = []
  ) -> [UInt64: UInt64] {
    var words: [UInt64: UInt64] = [0x10_0000: 0x10_1003]
    for page in pages {
      let table = 0x10_2000 + (page.guest >> 21) * 0x1000
      words[0x10_1000 + (page.guest >> 21) * 8] = table | 3
      words[table + (page.guest >> 12 & 511) * 8] = page.host | page.rights
    }
    for (guest, host) in large { words[0x10_1000 + (guest >> 21) * 8] = host | 0x83 }
    return words
  }

  private static let space = AddressSpace.nested(
    PhysicalAddress(0x1000), levels: 4, over: StageRoot(table: top, levels: 3))

  /// First-stage tables at guest pages 1 to 4, which are host pages 0x41 to 0x44.
  private static let tables: [(guest: UInt64, host: UInt64, rights: UInt64)] =
    (1...4).map { (guest: $0 << 12, host: ($0 + 0x40) << 12, rights: 3) }
  private static let path: [UInt64: UInt64] = [
    0x4_1000: 0x2007, 0x4_2000: 0x3007, 0x4_3000: 0x4007,
  ]

  private func memory(_ parts: [UInt64: UInt64]...) -> SyntheticMemory {
    SyntheticMemory(parts.reduce(into: [:]) { $0.merge($1) { $1 } })
  }

  private func collect(_ memory: SyntheticMemory) -> (RunCollector, WalkStatistics) {
    var collector = RunCollector()
    let statistics = PageTableWalk(memory: memory, space: Self.space).run(&collector)
    return (collector, statistics)
  }

  @Test func tablePointersAndPagesAreGuestPhysical() {
    let memory = memory(
      Self.secondStage(Self.tables + [(0x8000, 0x77_7000, 3)]), Self.path, [0x4_4000: 0x8007])
    let (collector, statistics) = collect(memory)
    #expect(
      collector.runs == [
        MappedRun(
          iova: IOVirtualAddress(0), length: 0x1000, physical: PhysicalAddress(0x77_7000),
          access: .all)
      ])
    #expect(statistics.tables == 4 && statistics.secondStageHoles == 0)
    let trace = PageTableWalk(memory: memory, space: Self.space).translate(IOVirtualAddress(0x123))
    #expect(
      trace.ending == .mapped(PhysicalAddress(0x77_7123), pageSize: 4096, access: .all))
    // Three second-stage entries for each first-stage one, and three for the page.
    let first = trace.steps.filter { $0.stage == .first }
    let second = trace.steps.filter { $0.stage == .second }
    #expect(second.count == 15)
    #expect(first.map(\.entry.rawValue) == [0x4_1000, 0x4_2000, 0x4_3000, 0x4_4000])
  }

  @Test func aLargePageIsSplitWhereTheSecondStageChanges() {
    // 2 MiB of guest memory at 2 MiB: contiguous but for page 3 (elsewhere), page 5 (missing) and
    // page 6 (read-only).
    var pages = Self.tables
    for index: UInt64 in 0..<512 where index != 5 {
      pages.append(
        (
          guest: 0x20_0000 + index << 12,
          host: index == 3 ? 0x99_0000 : 0x40_0000 + index << 12,
          rights: index == 6 ? 1 : 3
        ))
    }
    let memory = memory(Self.secondStage(pages), Self.path, [0x4_3000: 0x20_0087])
    let (collector, statistics) = collect(memory)
    let runs = collector.runs.map {
      [$0.iova.rawValue, $0.length, $0.physical.rawValue, UInt64($0.access.rawValue)]
    }
    #expect(
      runs == [
        [0, 0x3000, 0x40_0000, 3], [0x3000, 0x1000, 0x99_0000, 3],
        [0x4000, 0x1000, 0x40_4000, 3], [0x6000, 0x1000, 0x40_6000, 1],
        [0x7000, 505 << 12, 0x40_7000, 3],
      ])
    #expect(collector.leaves == 1, "one entry, however many pieces")
    #expect(statistics.secondStageHoles == 1)
    #expect(
      collector.obstacles.map(\.kind) == [
        .secondStage(.notPresent(.second, level: 1), guest: 0x20_5000)
      ])
    #expect(collector.obstacles.first?.iova == IOVirtualAddress(0x5000))
  }

  @Test func aLargeHoleIsOneHole() {
    let memory = memory(Self.secondStage(Self.tables), Self.path, [0x4_2000: 0x4000_0087])
    let (collector, statistics) = collect(memory)
    #expect(collector.runs.isEmpty && collector.leaves == 0)
    #expect(statistics.secondStageHoles == 1)
    #expect(
      collector.obstacles.map(\.kind) == [
        .secondStage(.notPresent(.second, level: 3), guest: 0x4000_0000)
      ])
  }

  @Test func largePagesOfBothStagesMeet() {
    let memory = memory(
      Self.secondStage(Self.tables, large: [(0x20_0000, 0x8000_0000), (0x40_0000, 0x8020_0000)]),
      Self.path, [0x4_3000: 0x20_0087, 0x4_3008: 0x40_0087])
    let (collector, _) = collect(memory)
    #expect(collector.runs.count == 1 && collector.leaves == 2)
    #expect(collector.bytes == 0x40_0000)
    let trace = PageTableWalk(memory: memory, space: Self.space)
      .translate(IOVirtualAddress(0x3f_ffff))
    #expect(
      trace.ending
        == .mapped(PhysicalAddress(0x803f_ffff), pageSize: 0x20_0000, access: .all))
  }

  @Test func aTableThatTheSecondStageHidesIsAnObstacle() {
    let memory = memory(
      Self.secondStage(Self.tables.dropLast() + [(0x4000, 0x4_4000, 2)]), Self.path,
      [0x4_4000: 0x8007])
    let (collector, statistics) = collect(memory)
    #expect(collector.runs.isEmpty && statistics.secondStageHoles == 1)
    #expect(collector.obstacleCounts == [.secondStage: 1])
    let trace = PageTableWalk(memory: memory, space: Self.space).translate(IOVirtualAddress(0))
    #expect(trace.ending == .noAccess(.second, level: 1), "the table may be written, not read")
  }

  @Test func guestAddressesBeyondTheSecondStageAreObstacles() {
    let memory = memory(
      Self.secondStage(Self.tables), Self.path, [0x4_4000: 0x000f_0000_0000_8007])
    let (collector, _) = collect(memory)
    #expect(
      collector.obstacles.map(\.kind) == [
        .secondStage(.beyondWidth(.second, 39), guest: 0x000f_0000_0000_8000)
      ])
  }

  @Test func aSecondStageThatContainsItselfIsNotFollowed() {
    let memory = memory(
      [0x10_0000: 0x10_0003], Self.path, [0x4_4000: 0x8007])
    let (collector, _) = collect(memory)
    #expect(
      collector.obstacles.map(\.kind) == [
        .secondStage(.cycle(.second, level: 2), guest: 0x1000)
      ])
  }

  @Test func aTableOfAnotherPathIsNoCycle() {
    // The level 3 table of the second guest page is the level 1 table of the third one, and the
    // look-up of the second ends above the tables of the first.
    var words = Self.path
    for page: UInt64 in 1...8 { words[0x10_3000 + page * 8] = (page + 0x40) << 12 | 3 }
    words.merge([
      0x10_0000: 0x10_1003, 0x10_1000: 0x10_2003, 0x10_2000: 0x10_3003,
      0x10_0008: 0x10_4003, 0x10_4008: 0x8000_0083,
      0x10_2008: 0x10_4003, 0x10_4000: 0x77_7003,
      0x4_4000: 0x8007, 0x4_4008: 0x80_4000_0007, 0x4_4010: 0x20_0007,
    ]) { $1 }
    let space = AddressSpace.nested(
      PhysicalAddress(0x1000), levels: 4, over: StageRoot(table: Self.top, levels: 4))
    var collector = RunCollector()
    PageTableWalk(memory: SyntheticMemory(words), space: space).run(&collector)
    #expect(collector.obstacles.isEmpty)
    #expect(collector.runs.map(\.physical.rawValue) == [0x4_8000, 0x8000_0000, 0x77_7000])
  }

  @Test func lookUpsAreBounded() {
    var pages = Self.tables
    // Neighbours in the guest are never neighbours on the host, so each page is a piece.
    for index: UInt64 in 0..<512 {
      pages.append((guest: 0x20_0000 + index << 12, host: (0x800 + index * 2) << 12, rights: 3))
    }
    let memory = memory(Self.secondStage(pages), Self.path, [0x4_3000: 0x20_0087])
    var collector = RunCollector()
    let walk = PageTableWalk(
      memory: memory, space: Self.space, budget: WalkBudget(lookups: 100))
    let statistics = walk.run(&collector)
    #expect(statistics.exhausted == [.lookups])
    #expect(collector.obstacleCounts == [.budgetExhausted: 1])
    #expect(collector.runs.count == 97, "three look-ups located the tables")
  }
}
