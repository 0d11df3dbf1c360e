// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

/// What stands in the walk's way: holes, reserved bits, tables that contain themselves.
struct ObstacleTests {
  static let unit = UnitCapabilities(
    capability: Capability(0x80d2_008c_222f_0606),
    extendedCapability: ExtendedCapability(0xf0_0f4a), hostAddressWidth: 39)

  private func walk(
    _ memory: SyntheticMemory, levels: Int = 3, stage: Stage = .second,
    unit: UnitCapabilities? = nil, budget: WalkBudget = WalkBudget()
  ) -> (RunCollector, WalkStatistics) {
    var collector = RunCollector()
    let space = AddressSpace(
      stage: stage, root: StageRoot(table: PhysicalAddress(0x1000), levels: levels))
    let statistics = PageTableWalk(memory: memory, space: space, unit: unit, budget: budget)
      .run(&collector)
    return (collector, statistics)
  }

  struct Reserved: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var stage: Stage
    var level: Int
    var word: UInt64
    var unit: UnitCapabilities?
    /// The reserved bits that are set; 0 for none.
    var bits: UInt64
    var category: PagingObstacle.Category = .reservedBits
  }

  static func unit(cap: UInt64 = 0, ecap: UInt64 = 0, width: Int = 52) -> UnitCapabilities {
    UnitCapabilities(
      capability: Capability(cap), extendedCapability: ExtendedCapability(ecap),
      hostAddressWidth: width)
  }

  static let all = unit(cap: .max, ecap: .max)
  static let none = unit()

  static let reserved: [Reserved] = [
    .init(
      testDescription: "SNP without snoop control", stage: .second, level: 1, word: 0x8803,
      unit: none, bits: 0x800),
    .init(
      testDescription: "SNP with snoop control", stage: .second, level: 1, word: 0x8803,
      unit: all, bits: 0),
    .init(
      testDescription: "SNP, unit unknown", stage: .second, level: 1, word: 0x8803, unit: nil,
      bits: 0),
    .init(
      testDescription: "SNP in a pointer", stage: .second, level: 2, word: 0x8803, unit: all,
      bits: 0x800),
    .init(
      testDescription: "TM without device TLBs", stage: .second, level: 1, word: 0x8003 | 1 << 62,
      unit: none, bits: 1 << 62),
    .init(
      testDescription: "TM with device TLBs", stage: .second, level: 1, word: 0x8003 | 1 << 62,
      unit: all, bits: 1 << 62),
    .init(
      testDescription: "bit 7 at level 1", stage: .second, level: 1, word: 0x8083, unit: all,
      bits: 0),
    .init(
      testDescription: "TM in a pointer", stage: .second, level: 3, word: 0x8003 | 1 << 62,
      unit: all, bits: 1 << 62),
    .init(
      testDescription: "ignored bits", stage: .second, level: 1,
      word: 0xbff0_0000_0000_8003 | 0x4f8, unit: none, bits: 0),
    .init(
      testDescription: "XD", stage: .first, level: 1, word: 0x8000_0000_0000_8007, unit: none,
      bits: 0),
    .init(
      testDescription: "bit 7 at level 4", stage: .second, level: 4, word: 0x8083, unit: all,
      bits: 0x80),
    .init(
      testDescription: "bit 7 at level 5", stage: .first, level: 5, word: 0x8087, unit: all,
      bits: 0x80),
    .init(
      testDescription: "2 MiB page not supported", stage: .second, level: 2, word: 0x20_0083,
      unit: none, bits: 0x80),
    .init(
      testDescription: "2 MiB page supported", stage: .second, level: 2, word: 0x20_0083,
      unit: unit(cap: 1 << 34), bits: 0),
    .init(
      testDescription: "1 GiB page not supported", stage: .second, level: 3, word: 0x4000_0083,
      unit: unit(cap: 1 << 34), bits: 0x80),
    .init(
      testDescription: "first stage, 1 GiB page not supported", stage: .first, level: 3,
      word: 0x4000_0087, unit: none, bits: 0x80),
    .init(
      testDescription: "first stage, 2 MiB page is always supported", stage: .first, level: 2,
      word: 0x20_0087, unit: none, bits: 0),
    .init(
      testDescription: "misaligned 2 MiB page", stage: .second, level: 2, word: 0x20_1083,
      unit: all, bits: 0x1000, category: .misalignedSuperpage),
    .init(
      testDescription: "first stage, bit 12 of a 2 MiB page is PAT", stage: .first, level: 2,
      word: 0x20_1087, unit: all, bits: 0),
    .init(
      testDescription: "misaligned 1 GiB page", stage: .second, level: 3, word: 0x6000_0083,
      unit: all, bits: 0x2000_0000, category: .misalignedSuperpage),
    .init(
      testDescription: "address beyond the host's width", stage: .second, level: 1,
      word: 0x80_0000_8003, unit: unit(ecap: .max, width: 39), bits: 0x80_0000_0000,
      category: .beyondHostAddressWidth),
    .init(
      testDescription: "pointer beyond the host's width", stage: .first, level: 3,
      word: 0x80_0000_8007, unit: unit(width: 39), bits: 0x80_0000_0000,
      category: .beyondHostAddressWidth),
    .init(
      testDescription: "highest address of the host", stage: .second, level: 1,
      word: 0x7f_ffff_f003, unit: unit(width: 39), bits: 0),
  ]

  @Test(arguments: reserved)
  func reservedBits(_ test: Reserved) {
    let mask =
      test.stage == .second
      ? SecondStageEntry(rawValue: test.word).reservedBits(level: test.level, unit: test.unit)
      : FirstStageEntry(rawValue: test.word).reservedBits(level: test.level, unit: test.unit)
    #expect(mask.words == [test.bits])

    // The walk stops there, and so does the translation.
    var words: [UInt64: UInt64] = [:]
    let path = test.stage == .second ? 3 : 7 as UInt64
    for level in test.level..<5 where level < 5 {
      words[UInt64(6 - level - 1) << 12] = UInt64(6 - level) << 12 | path
    }
    words[UInt64(6 - test.level) << 12] = test.word
    let memory = SyntheticMemory(words)
    let (collector, statistics) = walk(
      memory, levels: 5, stage: test.stage, unit: test.unit)
    #expect(statistics.reservedBits == (test.bits == 0 ? 0 : 1))
    let space = AddressSpace(
      stage: test.stage, root: StageRoot(table: PhysicalAddress(0x1000), levels: 5))
    let ending = PageTableWalk(memory: memory, space: space, unit: test.unit)
      .translate(IOVirtualAddress(0)).ending
    if test.bits != 0 {
      #expect(collector.runs.isEmpty)
      #expect(collector.obstacles.map(\.kind.category) == [test.category])
      #expect(collector.obstacles.first?.word == test.word)
      #expect(collector.obstacles.first?.level == test.level)
      #expect(ending == .reserved(test.stage, level: test.level, bits: test.bits))
    } else if case .reserved = ending {
      Issue.record("\(ending)")
    }
  }

  @Test func missingTablesHaveTheirReason() {
    let memory = SyntheticMemory(
      [0x1000: 0x2003, 0x1008: 0x3003, 0x1010: 0x4003, 0x1018: 0x5003, 0x5000: 0x8003],
      absences: [0x2000: .excluded, 0x3000: .zeroOrExcluded])
    let (collector, statistics) = walk(memory, levels: 2)
    #expect(statistics.unreadable == 2 && statistics.assumedZero == 1 && statistics.tables == 2)
    #expect(
      collector.obstacles.map(\.kind) == [
        .unreadable(MemoryError(at: PhysicalAddress(0x2000), .excluded)), .assumedZero,
        .unreadable(MemoryError(at: PhysicalAddress(0x4000), .notInDump)),
      ])
    #expect(collector.obstacles.map(\.entry?.rawValue) == [0x1000, 0x1008, 0x1010])
    #expect(collector.obstacles.map(\.iova.rawValue) == [0, 0x20_0000, 0x40_0000])
    #expect(collector.runs.count == 1)
    let space = AddressSpace.secondStage(PhysicalAddress(0x1000), levels: 2)
    let trace = PageTableWalk(memory: memory, space: space).translate(IOVirtualAddress(0x20_0000))
    #expect(trace.ending == .notPresent(.second, level: 1))
    #expect(trace.steps.map(\.isAssumedZero) == [false, true])
  }

  @Test func aMissingTopTableIsAnObstacle() {
    let (collector, statistics) = walk(SyntheticMemory([:]))
    #expect(statistics.unreadable == 1 && collector.obstacles.first?.entry == nil)
  }

  @Test func selfReferenceIsACycle() {
    let memory = SyntheticMemory([0x1000: 0x1003, 0x1008: 0x2003, 0x2008: 0x3003, 0x3000: 0x8003])
    let (collector, statistics) = walk(memory)
    #expect(statistics.cycles == 1 && statistics.aliases == 0)
    #expect(collector.obstacles.map(\.kind) == [.cycle])
    #expect(collector.runs.count == 1)
    let space = AddressSpace.secondStage(PhysicalAddress(0x1000), levels: 3)
    let trace = PageTableWalk(memory: memory, space: space).translate(IOVirtualAddress(0))
    #expect(trace.ending == .cycle(.second, level: 2))
  }

  @Test func aPointerUpwardsIsACycle() {
    let memory = SyntheticMemory([0x1000: 0x2003, 0x2000: 0x3003, 0x3000: 0x8003, 0x2008: 0x1003])
    let (collector, statistics) = walk(memory)
    #expect(statistics.cycles == 1 && collector.runs.count == 1)
  }

  @Test func sharedTablesAreWalkedAndReported() {
    let memory = SyntheticMemory([
      0x1000: 0x2003, 0x1008: 0x3003, 0x1010: 0x2003, 0x2000: 0x4003, 0x3000: 0x4003,
      0x4000: 0x8003,
    ])
    let (collector, statistics) = walk(memory)
    #expect(collector.runs.map(\.iova.rawValue) == [0, 0x4000_0000, 0x8000_0000])
    #expect(statistics.tables == 4 && statistics.aliases == 3)
    #expect(
      collector.obstacles.map(\.kind) == [
        .alias(firstLevel: 1), .alias(firstLevel: 2), .alias(firstLevel: 1),
      ])
  }

  @Test func oneTableAtTwoLevels() {
    // The page at 0x3000 is a table of level 1 for one entry and of level 2 for another.
    let memory = SyntheticMemory([0x1000: 0x2003, 0x2000: 0x3003, 0x1008: 0x3003, 0x3000: 0x8003])
    let (collector, _) = walk(memory)
    #expect(collector.obstacleCounts[.alias] == 1)
    #expect(collector.obstacles.first?.kind == .alias(firstLevel: 1))
    #expect(collector.obstacles.first?.level == 2)
    // Read as a level 2 entry, 0x8003 points to a table that does not exist.
    #expect(collector.obstacleCounts[.unreadable] == 1)
  }

  @Test func sharingWithoutEndIsBounded() {
    // Five tables, each all of whose entries point to the next: 512^5 leaves.
    var tables: [UInt64: [UInt64]] = [:]
    for frame: UInt64 in 1...5 {
      tables[frame] = [UInt64](repeating: (frame + 1) << 12 | 3, count: 512)
    }
    let (collector, statistics) = walk(
      SyntheticMemory(tables: tables), levels: 5, budget: WalkBudget(revisits: 2000))
    #expect(statistics.exhausted == [.revisits] && statistics.tables == 5)
    #expect(collector.leaves <= 2005 * 512 && collector.leaves >= 512)
    #expect(collector.obstacleCounts[.budgetExhausted] == 1)
  }

  @Test func newTablesAreWalkedAfterTheRevisitsAreSpent() {
    var words: [UInt64: UInt64] = [0x2000: 0x8003, 0x3000: 0x9003]
    for index: UInt64 in 0..<511 { words[0x1000 + index * 8] = 0x2003 }
    words[0x1ff8] = 0x3003
    let (collector, statistics) = walk(
      SyntheticMemory(words), levels: 2, budget: WalkBudget(revisits: 10))
    #expect(statistics.exhausted == [.revisits])
    #expect(collector.leaves == 12 && statistics.aliases == 510)
    #expect(collector.runs.last?.physical == PhysicalAddress(0x9000))
  }

  @Test func theTableBudgetEndsTheWalk() {
    var words: [UInt64: UInt64] = [:]
    for index: UInt64 in 0..<512 {
      words[0x1000 + index * 8] = (index + 2) << 12 | 3
      words[(index + 2) << 12] = 0x8003
    }
    let (collector, statistics) = walk(
      SyntheticMemory(words), levels: 2, budget: WalkBudget(tables: 10))
    #expect(statistics.exhausted == [.tables] && statistics.tables == 10)
    #expect(collector.leaves == 9 && statistics.isStopped == false)
    #expect(statistics.remaining == WalkBudget(tables: 0))
    #expect(
      collector.obstacles.map(\.kind) == [.budgetExhausted(.tables)])
    #expect(collector.obstacles.first?.iova == IOVirtualAddress(9 * 0x20_0000))
  }

  @Test(arguments: [Int.min, -1, 0, 1, 6, 9, Int.max])
  func impossibleDepthsAreObstacles(_ levels: Int) {
    let (collector, statistics) = walk(SyntheticMemory([0x1000: 0x1003]), levels: levels)
    #expect(collector.obstacles.map(\.kind) == [.unsupportedLevels(levels)])
    #expect(statistics.tables == 0 && statistics.remaining == WalkBudget())
  }

  @Test(arguments: [
    (PagingObstacle.Kind.reservedBits(0x880), "reserved bits 11, 7 are set"),
    (.alias(firstLevel: 2), "table was met before as a table of level 2"),
    (.budgetExhausted(.revisits), "the walk was cut, its budget of revisits is spent"),
    (
      .unreadable(MemoryError(at: PhysicalAddress(0x2000), .notInDump)),
      "table cannot be read: physical page 0x2000 is not memory that this dump describes"
    ),
  ])
  func obstaclesReadAsHalfSentences(_ kind: PagingObstacle.Kind, _ text: String) {
    #expect(kind.description == text)
  }

  @Test func obstaclesOfOneCategoryDoNotHideAnother() {
    var words: [UInt64: UInt64] = [0x1000: 0x2003, 0x1008: 0x3003]
    for index: UInt64 in 0..<512 { words[0x2000 + index * 8] = 0x8003 | 1 << 62 }
    let (collector, _) = walk(SyntheticMemory(words), levels: 2)
    #expect(collector.obstacleCounts == [.reservedBits: 512, .unreadable: 1])
    #expect(collector.obstacles.count == 65)
  }
}
