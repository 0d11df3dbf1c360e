// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

/// Random mappings become tables, and tables become the same mappings again.
struct WalkPropertyTests {
  /// Tables under construction: frames are handed out from `firstFrame` up.
  private struct Builder {
    let stage: Stage
    let levels: Int
    var tables: [UInt64: [UInt64]]
    var nextFrame: UInt64
    let root: UInt64

    init(stage: Stage, levels: Int, firstFrame: UInt64) {
      self.stage = stage
      self.levels = levels
      root = firstFrame
      nextFrame = firstFrame + 1
      tables = [firstFrame: [UInt64](repeating: 0, count: 512)]
    }

    /// Enters a page, unless something is in its way.
    mutating func map(iova: UInt64, physical: UInt64, level: Int, access: UInt64) -> Bool {
      var frame = root
      for upper in stride(from: levels, to: level, by: -1) {
        let index = Int(iova >> UInt64(3 + 9 * upper)) & 511
        let word = tables[frame]?[index] ?? 0
        if word == 0 {
          tables[frame]?[index] = nextFrame << 12 | (stage == .first ? 7 : 3)
          frame = nextFrame
          tables[frame] = [UInt64](repeating: 0, count: 512)
          nextFrame += 1
        } else if word & 0x80 != 0 {
          return false
        } else {
          frame = word >> 12
        }
      }
      let index = Int(iova >> UInt64(3 + 9 * level)) & 511
      guard tables[frame]?[index] == 0 else { return false }
      tables[frame]?[index] = physical | access | (level > 1 ? 0x80 : 0)
      return true
    }
  }

  /// The runs of single pages, merged by definition instead of by a walk.
  private func merge(_ pages: [MappedRun]) -> [MappedRun] {
    var result: [MappedRun] = []
    for page in pages.sorted(by: { $0.iova < $1.iova }) {
      if let last = result.last, last.iova.rawValue + last.length == page.iova.rawValue,
        last.physical.rawValue + last.length == page.physical.rawValue, last.access == page.access
      {
        result[result.count - 1].length += page.length
      } else {
        result.append(page)
      }
    }
    return result
  }

  private static let formats: [(Stage, Int)] = [
    (.second, 2), (.second, 3), (.second, 4), (.second, 5), (.first, 4), (.first, 5),
  ]

  @Test func walkingWhatWasBuiltGivesTheMappingBack() {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    for round in 0..<900 {
      let (stage, levels) = Self.formats[round % Self.formats.count]
      var builder = Builder(stage: stage, levels: levels, firstFrame: 0x10)
      let width = UInt64(12 + 9 * levels)
      var pages: [MappedRun] = []
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        // A cluster of pages; steps of 0 collide, of 2 leave holes.
        let level = [1, 1, 1, 2, 3].filter { $0 < levels }.randomElement(using: &generator) ?? 1
        let size: UInt64 = 1 << UInt64(3 + 9 * level)
        var iova = UInt64.random(in: 0..<1 << width, using: &generator) & ~(size - 1)
        var physical = UInt64.random(in: 0..<1 << 51, using: &generator) & ~(size - 1)
        for _ in 0..<Int.random(in: 1...12, using: &generator) {
          let access = UInt64.random(in: stage == .first ? 0...1 : 1...3, using: &generator)
          let word = stage == .first ? 5 | access << 1 : access
          if iova >> width == 0,
            builder.map(iova: iova, physical: physical, level: level, access: word)
          {
            let upper = stage == .first && iova >> (width - 1) & 1 != 0
            pages.append(
              MappedRun(
                iova: IOVirtualAddress(upper ? iova | ~0 << width : iova), length: size,
                physical: PhysicalAddress(physical), access: PagingAccess(entry: word)))
          }
          iova += size * UInt64.random(in: 0...2, using: &generator)
          if Bool.random(using: &generator) {
            physical = iova & (1 << 51 - 1) & ~(size - 1)
          } else {
            physical += size
          }
        }
      }
      let memory = SyntheticMemory(tables: builder.tables)
      let space = AddressSpace(
        stage: stage, root: StageRoot(table: PhysicalAddress(0x1_0000), levels: levels))
      let walk = PageTableWalk(memory: memory, space: space)
      var collector = RunCollector()
      let statistics = walk.run(&collector)
      let expected = merge(pages)
      guard collector.runs == expected, collector.leaves == pages.count,
        collector.bytes == pages.reduce(0, { $0 + $1.length }),
        statistics.tables == builder.tables.count, collector.obstacles.isEmpty
      else {
        Issue.record("round \(round), seed \(seed): \(collector.runs) is not \(expected)")
        return
      }
      // Single addresses, inside the runs and at random.
      for _ in 0..<8 {
        var iova = UInt64.random(in: 0..<1 << width, using: &generator)
        if Bool.random(using: &generator), let run = expected.randomElement(using: &generator) {
          iova = run.iova.rawValue &+ UInt64.random(in: 0...run.length, using: &generator)
        }
        let run = expected.first {
          $0.iova.rawValue <= iova && iova - $0.iova.rawValue < $0.length
        }
        let trace = walk.translate(IOVirtualAddress(iova))
        var found: UInt64?
        if case .mapped(let physical, _, let access) = trace.ending {
          found = access == run?.access ? physical.rawValue : nil
        }
        guard found == run.map({ $0.physical.rawValue + (iova - $0.iova.rawValue) }) else {
          Issue.record("round \(round), seed \(seed), \(iova.hexadecimal): \(trace.ending)")
          return
        }
      }
    }
  }

  @Test func nestedWalksAreBothStagesAfterEachOther() {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    for round in 0..<48 {
      // Guest memory of 1024 pages; the second stage scatters it over the host, with holes that
      // spare the first-stage tables.
      var first = Builder(stage: .first, levels: 4, firstFrame: 0)
      var leaves: [(iova: UInt64, guest: UInt64, size: UInt64, word: UInt64)] = []
      var iova = UInt64.random(in: 0..<1 << 46, using: &generator) & ~0x1f_ffff
      for _ in 0..<20 {
        let level = Int.random(in: 0..<6, using: &generator) == 0 ? 2 : 1
        let size: UInt64 = 1 << UInt64(3 + 9 * level)
        iova = (iova + size - 1) & ~(size - 1)
        let guest = UInt64.random(in: 0..<1024, using: &generator) << 12 & ~(size - 1)
        let word: UInt64 = Bool.random(using: &generator) ? 7 : 5
        if first.map(iova: iova, physical: guest, level: level, access: word) {
          leaves.append((iova, guest, size, word))
        }
        iova += size * UInt64.random(in: 1...2, using: &generator)
      }
      var second = Builder(stage: .second, levels: 3, firstFrame: 0x10_0000)
      var host: [UInt64: (frame: UInt64, access: UInt64)] = [:]
      var frame: UInt64 = 0x1000
      for guest: UInt64 in 0..<1024 {
        let isTable = first.tables[guest] != nil
        frame += UInt64.random(in: 0..<8, using: &generator) == 0 ? 5 : 1
        if !isTable, Int.random(in: 0..<10, using: &generator) == 0 { continue }
        let access = isTable ? 3 : UInt64.random(in: 1...3, using: &generator)
        host[guest] = (frame, access)
        _ = second.map(iova: guest << 12, physical: frame << 12, level: 1, access: access)
      }
      var pages: [MappedRun] = []
      for leaf in leaves {
        for offset in stride(from: 0, to: leaf.size, by: 4096) {
          guard let target = host[(leaf.guest + offset) >> 12] else { continue }
          let access = PagingAccess(entry: leaf.word & target.access)
          if access.isEmpty { continue }
          pages.append(
            MappedRun(
              iova: IOVirtualAddress(leaf.iova + offset), length: 4096,
              physical: PhysicalAddress(target.frame << 12), access: access))
        }
      }
      var tables = second.tables
      for (guest, words) in first.tables {
        if let target = host[guest] { tables[target.frame] = words }
      }
      let space = AddressSpace.nested(
        PhysicalAddress(0), levels: 4,
        over: StageRoot(table: PhysicalAddress(0x10_0000 << 12), levels: 3))
      let walk = PageTableWalk(memory: SyntheticMemory(tables: tables), space: space)
      var collector = RunCollector()
      walk.run(&collector)
      let expected = merge(pages)
      guard collector.runs == expected else {
        Issue.record("round \(round), seed \(seed): \(collector.runs) is not \(expected)")
        return
      }
      for run in expected {
        let offset = UInt64.random(in: 0..<run.length, using: &generator)
        let trace = walk.translate(IOVirtualAddress(run.iova.rawValue + offset))
        guard case .mapped(let physical, 4096, run.access) = trace.ending,
          physical.rawValue == run.physical.rawValue + offset
        else {
          Issue.record("round \(round), seed \(seed), \(run.iova): \(trace.ending)")
          return
        }
      }
    }
  }

  /// Pages of random words, most of which point to one another.
  private func garbage(
    _ generator: inout SeededGenerator, frames: UInt64
  ) -> [UInt64: [UInt64]] {
    var tables: [UInt64: [UInt64]] = [:]
    let density = Int.random(in: 1...8, using: &generator)
    for frame in 0..<frames {
      tables[frame] = (0..<512).map { _ in
        switch Int.random(in: 0..<8 * density, using: &generator) {
        case 0: generator.next()
        case 1...3:
          UInt64.random(in: 0...frames, using: &generator) << 12 | generator.next() & 0xfff
        case 4: UInt64.random(in: 0...frames, using: &generator) << 12 | 7
        default: 0
        }
      }
    }
    return tables
  }

  @Test func garbageEndsAndTranslationAgrees() {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    let units: [UnitCapabilities?] = [
      nil, ObstacleTests.unit, ObstacleTests.all, ObstacleTests.none,
    ]
    for round in 0..<60 {
      let memory = SyntheticMemory(tables: garbage(&generator, frames: 12))
      let (stage, levels) = Self.formats[round % Self.formats.count]
      let nested = stage == .first && round % 4 == 0
      let space = AddressSpace(
        stage: stage, root: StageRoot(table: PhysicalAddress(0), levels: levels),
        nesting: nested ? StageRoot(table: PhysicalAddress(0x1000), levels: 3) : nil)
      let walk = PageTableWalk(
        memory: memory, space: space, unit: units[round % units.count],
        budget: WalkBudget(tables: 100, revisits: 50, lookups: 20_000))
      var collector = RunCollector(runLimit: 5000)
      let statistics = walk.run(&collector)
      #expect(statistics.tables <= 100)
      #expect(collector.runs.count <= 5000)
      // Whatever was found mapped translates alike.
      for run in collector.runs.shuffled(using: &generator).prefix(20) {
        let offset = UInt64.random(in: 0..<run.length, using: &generator)
        let address = run.iova.rawValue &+ offset
        let trace = walk.translate(IOVirtualAddress(address))
        // Mapped is one thing, reachable another: both sides draw the line alike.
        let bounds = RequestBounds(space, unit: walk.unit)
        let piece = bounds.pieces(of: run, hasPASID: true).first {
          $0.run.iova.rawValue <= address && address &- $0.run.iova.rawValue < $0.run.length
        }
        if let obstacle = piece?.obstacle {
          let isAlike =
            switch (obstacle, trace.ending) {
            case (.beyondWidth(let refusal), let ending): refusal == ending
            case (.interruptTarget, .interruptTarget): true
            default: false
            }
          #expect(isAlike, "seed \(seed), \(obstacle), \(trace.ending)")
          continue
        }
        guard case .mapped(let physical, _, run.access) = trace.ending,
          physical.rawValue == run.physical.rawValue &+ offset
        else {
          Issue.record("round \(round), seed \(seed), \(run.iova): \(trace.ending)")
          return
        }
      }
      for _ in 0..<50 { _ = walk.translate(IOVirtualAddress(generator.next())) }
    }
  }

  @Test func garbageContextTablesEnd() {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    for round in 0..<24 {
      let memory = SyntheticMemory(tables: garbage(&generator, frames: 12))
      let mode = TableMode.allCases[round % 3]
      let tables = TranslationTables(
        memory: memory, rootTable: PhysicalAddress(0), mode: mode, capabilities: ObstacleTests.unit)
      let budget = ContextBudget(pages: 2000, paths: 3000, directoryEntries: 2000, obstacles: 100)
      let reading = tables.read(budget: budget)
      #expect(reading.paths.count <= 3000, "seed \(seed)")
      #expect(reading.obstacles.count <= 101)
      for path in reading.paths { _ = path.addressSpace }
    }
  }
}
