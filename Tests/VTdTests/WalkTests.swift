// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

/// A run as one line of a test: `iova + length → physical access`.
private func run(
  _ iova: UInt64, _ length: UInt64, _ physical: UInt64, _ access: PagingAccess = .all
) -> MappedRun {
  MappedRun(
    iova: IOVirtualAddress(iova), length: length, physical: PhysicalAddress(physical),
    access: access)
}

private let kib4: UInt64 = 0x1000
private let mib2: UInt64 = 0x20_0000
private let gib: UInt64 = 0x4000_0000

struct WalkTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var space: AddressSpace
    var words: [UInt64: UInt64]
    var runs: [MappedRun]

    init(
      _ name: String, _ space: AddressSpace, _ words: [UInt64: UInt64], _ runs: [MappedRun]
    ) {
      testDescription = name
      self.space = space
      self.words = words
      self.runs = runs
    }
  }

  static func second(_ levels: Int) -> AddressSpace {
    .secondStage(PhysicalAddress(0x1000), levels: levels)
  }

  static func first(_ levels: Int) -> AddressSpace {
    .firstStage(PhysicalAddress(0x1000), levels: levels)
  }

  static let cases: [Case] = [
    Case("empty table", second(4), [0x1000: 0], []),
    Case(
      "2 levels, one page", second(2), [0x1008: 0x2003, 0x2010: 0x55_5003],
      [run(mib2 + 2 * kib4, kib4, 0x55_5000)]),
    Case(
      "3 levels, last entry of each", second(3),
      [0x1ff8: 0x2003, 0x2ff8: 0x3003, 0x3ff8: 0x7003], [run(0x7f_ffff_f000, kib4, 0x7000)]),
    Case(
      "4 levels, L4[1] L3[2] L2[3] L1[4]", second(4),
      [0x1008: 0x2003, 0x2010: 0x3003, 0x3018: 0x4003, 0x4020: 0x9003],
      [run(0x80_8060_4000, kib4, 0x9000)]),
    Case(
      "5 levels, last entry of each", second(5),
      [0x1ff8: 0x2003, 0x2ff8: 0x3003, 0x3ff8: 0x4003, 0x4ff8: 0x5003, 0x5ff8: 0x7003],
      [run(0x1ff_ffff_ffff_f000, kib4, 0x7000)]),
    Case(
      "1 GiB page at level 3", second(4), [0x1000: 0x2003, 0x2010: 0xc000_0083],
      [run(2 * gib, gib, 0xc000_0000)]),
    Case(
      "2 MiB page at level 2", second(3), [0x1000: 0x2003, 0x2010: 0x40_0083],
      [run(2 * mib2, mib2, 0x40_0000)]),
    Case(
      "a 2 MiB page continues 4 KiB pages in one run", second(3),
      [0x1000: 0x2003, 0x2000: 0x3003, 0x3ff8: 0x3ff_f003, 0x2008: 0x400_0083],
      [run(mib2 - kib4, mib2 + kib4, 0x3ff_f000)]),
    Case(
      "a hole divides", second(3),
      [0x1000: 0x2003, 0x2000: 0x3003, 0x3000: 0x8003, 0x3010: 0xa003],
      [run(0, kib4, 0x8000), run(2 * kib4, kib4, 0xa000)]),
    Case(
      "another physical page divides", second(3),
      [0x1000: 0x2003, 0x2000: 0x3003, 0x3000: 0x8003, 0x3008: 0xb003],
      [run(0, kib4, 0x8000), run(kib4, kib4, 0xb000)]),
    Case(
      "another access divides", second(3),
      [0x1000: 0x2003, 0x2000: 0x3003, 0x3000: 0x8003, 0x3008: 0x9001, 0x3010: 0xa002],
      [
        run(0, kib4, 0x8000), run(kib4, kib4, 0x9000, .read),
        run(2 * kib4, kib4, 0xa000, .write),
      ]),
    Case(
      "rights are the AND along the path", second(3),
      [0x1000: 0x2001, 0x2000: 0x3003, 0x3000: 0x8003, 0x3008: 0x9001],
      [run(0, 2 * kib4, 0x8000, .read)]),
    Case(
      "no right left: not mapped", second(3),
      [0x1000: 0x2001, 0x2000: 0x3003, 0x3000: 0x8002, 0x3008: 0x9003],
      [run(kib4, kib4, 0x9000, .read)]),
    Case(
      "ignored bits do not matter", second(3),
      [0x1000: 0x2003, 0x2000: 0x3003, 0x3000: 0xbff0_0000_0000_8003 | 0x700],
      [run(0, kib4, 0x8000)]),
    Case(
      "execute only is not present", second(3),
      [0x1000: 0x2003, 0x2000: 0x3003, 0x3000: 0x8004], []),
    Case(
      "a run crosses tables", second(3),
      [0x1000: 0x2003, 0x2000: 0x3003, 0x2008: 0x4003, 0x3ff8: 0x8003, 0x4000: 0x9003],
      [run(mib2 - kib4, 2 * kib4, 0x8000)]),

    Case(
      "first stage, read-only page", first(4),
      [0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4007, 0x4000: 0x8005],
      [run(0, kib4, 0x8000, .read)]),
    Case(
      "first stage, RW without P is not present", first(4),
      [0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4007, 0x4000: 0x8006], []),
    Case(
      "first stage, RW is the AND along the path", first(4),
      [0x1000: 0x2005, 0x2000: 0x3007, 0x3000: 0x4007, 0x4000: 0x8007],
      [run(0, kib4, 0x8000, .read)]),
    Case(
      "first stage, 4 levels: the upper half is sign-extended", first(4),
      [
        0x17f8: 0x2007, 0x1800: 0x2007, 0x1ff8: 0x5007, 0x2000: 0x3007, 0x3000: 0x4007,
        0x4000: 0x8007, 0x5ff8: 0x6007, 0x6ff8: 0x7007, 0x7ff8: 0x9007,
      ],
      [
        run(0x7f80_0000_0000, kib4, 0x8000), run(0xffff_8000_0000_0000, kib4, 0x8000),
        run(0xffff_ffff_ffff_f000, kib4, 0x9000),
      ]),
    Case(
      "first stage, 5 levels: the upper half is sign-extended", first(5),
      [0x1800: 0x2007, 0x2800: 0x3007, 0x3000: 0x4007, 0x4000: 0x8000_0087],
      [run(0xff00_8000_0000_0000, mib2, 0x8000_0000)]),
    Case(
      "first stage, 1 GiB page with its PAT bit", first(4), [0x1000: 0x2007, 0x2008: 0xc000_1087],
      [run(gib, gib, 0xc000_0000)]),
    Case(
      "first stage, PAT at level 1 is no reserved bit", first(4),
      [0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4007, 0x4000: 0x8087], [run(0, kib4, 0x8000)]),
    Case(
      "first stage, XD and software bits do not matter", first(4),
      [0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4007, 0x4000: 0xfff0_0000_0000_8f67],
      [run(0, kib4, 0x8000)]),
  ]

  @Test(arguments: cases)
  func walks(_ test: Case) {
    let walk = PageTableWalk(memory: SyntheticMemory(test.words), space: test.space)
    var collector = RunCollector()
    let statistics = walk.run(&collector)
    #expect(collector.runs == test.runs)
    #expect(collector.bytes == test.runs.reduce(0) { $0 + $1.length })
    #expect(statistics.exhausted.isEmpty && statistics.unreadable == 0)
    #expect(collector.obstacles.allSatisfy { $0.kind.category == .alias })
    for run in test.runs {
      for offset in [0, run.length / 2, run.length - 1] {
        let trace = walk.translate(IOVirtualAddress(run.iova.rawValue + offset))
        guard case .mapped(let physical, _, let access) = trace.ending else {
          Issue.record("\(run.iova) + \(offset): \(trace.ending)")
          continue
        }
        #expect(physical.rawValue == run.physical.rawValue + offset && access == run.access)
      }
    }
  }

  @Test func countsLeavesOfAllSizes() {
    let memory = SyntheticMemory([
      0x1000: 0x2003, 0x2000: 0x3003, 0x2008: 0x8000_0083, 0x3000: 0x4003, 0x3008: 0x20_0083,
      0x4000: 0x1000_0003, 0x4008: 0x1000_1003, 0x4010: 0x9002, 0x4018: 0xa000,
    ])
    var collector = RunCollector()
    PageTableWalk(memory: memory, space: Self.second(4)).run(&collector)
    #expect(collector.leaves == 5)
    #expect(collector.bytes == 3 * kib4 + mib2 + gib)
  }

  @Test func userRequestsDoNotReachSupervisorPages() {
    let memory = SyntheticMemory([
      0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4007, 0x4000: 0x8007, 0x4008: 0x9003,
    ])
    var space = Self.first(4)
    #expect(runs(memory, space) == [run(0, 2 * kib4, 0x8000)])
    space.privilege = .user
    #expect(runs(memory, space) == [run(0, kib4, 0x8000)])
    let trace = PageTableWalk(memory: memory, space: space).translate(IOVirtualAddress(kib4))
    #expect(trace.ending == .supervisorPage(level: 1))
    #expect(trace.faultReason(isWrite: true, isScalable: true) == .supervisorPage)
  }

  @Test func supervisorRequestsWriteToReadOnlyPagesUnlessWPEIsSet() {
    let memory = SyntheticMemory([0x1000: 0x2007, 0x2000: 0x3007, 0x3000: 0x4005, 0x4000: 0x8005])
    var space = Self.first(4)
    for (privilege, access) in [
      (RequestPrivilege.user, PagingAccess.read), (.supervisor(obeysReadOnly: true), .read),
      (.supervisor(obeysReadOnly: false), .all),
    ] {
      space.privilege = privilege
      #expect(runs(memory, space).map(\.access) == [access])
      let trace = PageTableWalk(memory: memory, space: space).translate(IOVirtualAddress(0))
      #expect(trace.ending == .mapped(PhysicalAddress(0x8000), pageSize: 4096, access: access))
    }
  }

  private func runs(
    _ memory: SyntheticMemory, _ space: AddressSpace, unit: UnitCapabilities? = nil
  ) -> [MappedRun] {
    var collector = RunCollector()
    PageTableWalk(memory: memory, space: space, unit: unit).run(&collector)
    return collector.runs
  }

  // MARK: One address

  @Test func translatesLevelByLevel() {
    let memory = SyntheticMemory([
      0x1008: 0x2003, 0x2010: 0x3003, 0x3018: 0x4001, 0x4020: 0x9003, 0x2018: 0xc000_0083,
    ])
    let walk = PageTableWalk(memory: memory, space: Self.second(4))
    let trace = walk.translate(IOVirtualAddress(0x80_8060_4567))
    #expect(
      trace.ending == .mapped(PhysicalAddress(0x9567), pageSize: 4096, access: .read))
    #expect(trace.steps.map(\.level) == [4, 3, 2, 1])
    #expect(trace.steps.map(\.entry.rawValue) == [0x1008, 0x2010, 0x3018, 0x4020])
    #expect(trace.steps.map(\.word) == [0x2003, 0x3003, 0x4001, 0x9003])

    let large = walk.translate(IOVirtualAddress(0x80_c123_4567))
    #expect(
      large.ending == .mapped(PhysicalAddress(0xc123_4567), pageSize: gib, access: .all))
    #expect(large.steps.count == 2)
  }

  @Test(arguments: [
    (second(4), 0 as UInt64, TranslationEnding.notPresent(.second, level: 4)),
    (second(4), 0x80_0000_0000, .notPresent(.second, level: 3)),
    (second(4), 0x1_0000_0000_0000, .beyondWidth(.second, 48)),
    (second(4), .max, .beyondWidth(.second, 48)),
    (second(6), 0, .unsupportedLevels(.second, 6)),
    (second(-3), 0, .unsupportedLevels(.second, -3)),
    (first(4), 0x8000_0000_0000, .notCanonical),
    (first(4), 0xffff_7fff_ffff_ffff, .notCanonical),
    (first(4), 0xffff_8000_0000_0000, .notPresent(.first, level: 4)),
    (first(5), 0x8000_0000_0000, .notPresent(.first, level: 5)),
    (first(5), 0x100_0000_0000_0000, .notCanonical),
    (
      .secondStage(PhysicalAddress(0xdead_0000), levels: 3), 0,
      .unreadable(
        .second, level: 3, MemoryError(at: PhysicalAddress(0xdead_0000), .notInDump))
    ),
  ])
  func endsOutsideTheMapping(_ space: AddressSpace, _ iova: UInt64, _ ending: TranslationEnding) {
    let memory = SyntheticMemory([0x1008: 0x2003, 0x2000: 0])
    let walk = PageTableWalk(memory: memory, space: space)
    #expect(walk.translate(IOVirtualAddress(iova)).ending == ending)
  }

  @Test(arguments: [
    (
      TranslationEnding.mapped(PhysicalAddress(0), pageSize: 4096, access: .read), true,
      0x5 as UInt8?, 0x85 as UInt8?
    ),
    (.mapped(PhysicalAddress(0), pageSize: 4096, access: .read), false, nil, nil),
    (.notPresent(.second, level: 2), true, 0x5, 0x79),
    (.notPresent(.second, level: 2), false, 0x6, 0x79),
    (.notPresent(.first, level: 1), false, 0x71, 0x71),
    (.reserved(.second, level: 1, bits: 0x800), false, 0xc, 0x7a),
    (.beyondWidth(.second, 39), false, 0x4, 0x84),
    (.notCanonical, true, 0x80, 0x80),
    (
      .unreadable(.second, level: 2, MemoryError(at: PhysicalAddress(0), .excluded)), true, nil, nil
    ),
  ])
  func faultsThatAUnitWouldRecord(
    _ ending: TranslationEnding, _ isWrite: Bool, _ legacy: UInt8?, _ scalable: UInt8?
  ) {
    #expect(ending.faultReason(isWrite: isWrite, isScalable: false)?.rawValue == legacy)
    #expect(ending.faultReason(isWrite: isWrite, isScalable: true)?.rawValue == scalable)
    #expect(!ending.description.isEmpty)
  }

  // MARK: Order of the visits

  @Test func visitsInOrder() {
    struct Recorder: PagingVisitor {
      var lines: [String] = []
      mutating func enter(_ table: PagingTable) -> WalkDecision {
        lines.append("enter \(table.address) level \(table.level) at \(table.iova)")
        return .enter
      }
      mutating func leave(_ table: PagingTable) { lines.append("leave \(table.address)") }
      mutating func branch(_ branch: PagingBranch) -> WalkDecision {
        lines.append("branch \(branch.entry) → \(branch.table) \(branch.access)")
        return branch.word == 0x6003 ? .skip : .enter
      }
      mutating func leaf(_ leaf: PagingLeaf) {
        lines.append("leaf \(leaf.iova) → \(leaf.physical) + \(leaf.length.hexadecimal)")
      }
      mutating func finish(_ statistics: WalkStatistics) {
        lines.append("finish \(statistics.tables)")
      }
    }
    let memory = SyntheticMemory([
      0x1000: 0x2001, 0x1008: 0x6003, 0x1010: 0x8000_0083, 0x2000: 0x9003, 0x6000: 0x9003,
    ])
    var recorder = Recorder()
    PageTableWalk(memory: memory, space: Self.second(2)).run(&recorder)
    #expect(
      recorder.lines == [
        "enter 0x1000 level 2 at 0x0",
        "branch 0x1000 → 0x2000 r",
        "enter 0x2000 level 1 at 0x0",
        "leaf 0x0 → 0x9000 + 0x1000",
        "leave 0x2000",
        "branch 0x1008 → 0x6000 rw",
        "leaf 0x400000 → 0x80000000 + 0x200000",
        "leave 0x1000",
        "finish 2",
      ])
  }

  @Test func aVisitorEndsTheWalk() {
    struct Stopper: PagingVisitor {
      var leaves = 0
      mutating func enter(_ table: PagingTable) -> WalkDecision {
        table.address == PhysicalAddress(0x3000) ? .stop : .enter
      }
      mutating func leaf(_ leaf: PagingLeaf) { leaves += 1 }
    }
    let memory = SyntheticMemory([
      0x1000: 0x2003, 0x1008: 0x3003, 0x1010: 0x2003, 0x2000: 0x9003, 0x3000: 0x9003,
    ])
    var stopper = Stopper()
    let statistics = PageTableWalk(memory: memory, space: Self.second(2)).run(&stopper)
    #expect(statistics.isStopped && stopper.leaves == 1)
  }

  @Test func runsBeyondTheLimitAreCounted() {
    let words = Dictionary(
      uniqueKeysWithValues: (0..<100).map { (0x2000 + $0 * 16 as UInt64, 0x9003 as UInt64) })
    let memory = SyntheticMemory(words.merging([0x1000: 0x2003]) { $1 })
    var collector = RunCollector(runLimit: 30)
    PageTableWalk(memory: memory, space: Self.second(2)).run(&collector)
    #expect(collector.runs.count == 30 && collector.runsDropped == 70)
    #expect(collector.leaves == 100 && collector.bytes == 100 * kib4)
  }
}
