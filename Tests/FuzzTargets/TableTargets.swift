// SPDX-License-Identifier: Apache-2.0

import Assembly
import Carving
import Evidence
import Inheritance
import Memory
import MemoryFixtures
import RemappingState
import Report
import StateFixtures
import TableCopy
import Translation
import VTd

extension FuzzTarget {
  /// Bytes that a remapping unit would take for its tables.
  static let tables: [FuzzTarget] =
    [
      ("walk-second", .second, nil), ("walk-first", .first, nil), ("walk-nested", .first, 4),
    ].map { name, stage, nesting in
      FuzzTarget(name, seeds: { TablePages.seeds }, run: { walk($0, stage, nesting) })
    }
    + [("legacy", .legacy), ("extended", .extended), ("scalable", .scalable)].map { name, mode in
      FuzzTarget(
        "tables-\(name)", seeds: { TablePages.seeds + TablePages.roots(mode) },
        run: { read($0, mode) })
    }
    + [
      FuzzTarget("interrupts", seeds: { TablePages.seeds }, run: interrupts),
      FuzzTarget(
        "carve", seeds: { TablePages.roots(.legacy) + TablePages.roots(.scalable) },
        run: { bytes in
          var input = FuzzBytes(bytes)
          let carver = RootCarver(memory: TablePages(&input).memory, work: .ofSmallDump)
          _ = carver.roots(in: [0..<UInt64(TablePages.count)])
        }),
      FuzzTarget(
        "inherit-tables", seeds: { TablePages.roots(.legacy) + TablePages.roots(.scalable) },
        run: inherit),
    ]

  // MARK: Runs

  private static func walk(_ bytes: [UInt8], _ stage: Stage, _ nesting: Int?) {
    var input = FuzzBytes(bytes)
    let levels = 2 + Int(input.byte() & 3)
    let flags = input.byte()
    let pages = TablePages(&input)
    var space = AddressSpace(
      stage: stage, root: StageRoot(table: PhysicalAddress(0x1000), levels: levels),
      nesting: nesting.map { StageRoot(table: PhysicalAddress(0x4000), levels: $0) },
      privilege: flags & 1 == 0 ? .user : .supervisor(obeysReadOnly: flags & 2 == 0))
    space.snoopsAlways = flags & 4 != 0
    let walk = PageTableWalk(
      memory: pages.memory, space: space, unit: flags & 8 == 0 ? nil : .permissive,
      work: .ofSmallDump)
    var collector = RunCollector()
    walk.run(&collector)
    for run in collector.runs.prefix(8) {
      _ = walk.translate(run.iova)
      _ = walk.translate(IOVirtualAddress(run.iova.rawValue &+ run.length &- 1))
    }
    for address in [0, 1 << 47, UInt64.max, 0xfee0_0000] {
      _ = walk.translate(IOVirtualAddress(address))
    }
  }

  private static func read(_ bytes: [UInt8], _ mode: TableMode) {
    var input = FuzzBytes(bytes)
    let evidence = evidence(&input, [mode])
    _ = json(ReportDocument(state: evidence.state, findings: []))
    let lister = TableLister(evidence)
    for unit in evidence.state.units {
      _ = lister.tables(of: unit, interrupts: true)
      guard let tables = evidence.tables(of: unit) else { continue }
      let resolver = RequestResolver(tables: tables, isTranslating: true, unit: nil)
      for (bus, devfn, pasid) in [(0, 0, nil), (0, 8, 1), (255, 255, 0xf_ffff)]
        as [(UInt8, UInt8, UInt32?)]
      {
        let trace = resolver.resolve(
          MemoryRequest(bus: bus, devfn: devfn, pasid: pasid, address: IOVirtualAddress(0x1000)))
        _ = (trace.ending.description, trace.faultReason(isWrite: true))
      }
    }
    for context in evidence.state.contexts.prefix(2) {
      _ = lister.tables(of: context.device, pasid: context.pasid)
    }
  }

  private static func interrupts(_ bytes: [UInt8]) {
    var input = FuzzBytes(bytes)
    let entries = Int(Int32(truncatingIfNeeded: input.word(4)))
    var evidence = evidence(&input, [.legacy])
    for index in evidence.state.units.indices {
      evidence.state.units[index].interruptRemapping = InterruptRemapping(
        table: PhysicalAddress(0x2000), entries: entries)
    }
    let lister = TableLister(evidence)
    for unit in evidence.state.units {
      lister.forEachInterrupt(of: unit) { _, entry, _ in
        _ = (entry.reservedBits(.permissive, x2APIC: false), entry.accepts(source: 8))
      }
      _ = lister.tables(of: unit, interrupts: true)
    }
  }

  private static func inherit(_ bytes: [UInt8]) {
    var input = FuzzBytes(bytes)
    let flags = input.byte()
    let evidence = evidence(&input, flags & 1 == 0 ? [.legacy] : [.scalable])
    let facts = MachineFacts(
      reservations: [.init(kind: .main, range: 0x10_0000...0x1f_ffff)],
      memoryFrames: [0..<0x200], traits: CrashKernelTraits(variant: flags & 2 == 0 ? .v2a : .v1))
    let forecast = Forecaster(
      evidence.state, memory: evidence.memory, facts: facts,
      options: ForecastOptions(strict: flags & 4 == 0), budget: .init(evidence.work)
    ).forecast()
    let document = InheritDocument(dump: evidence.state.dump, forecast: forecast)
    _ = json(document)
    try? InheritText().write(document, to: NowhereSink())
  }

  private static func evidence(_ input: inout FuzzBytes, _ modes: [TableMode]) -> DumpEvidence {
    let memory = TablePages(&input).memory
    let work = WorkBudget.ofSmallDump
    let state = RemappingState(
      DumpSummary(file: "fuzzed", format: "elf"), memory: memory,
      roots: modes.map {
        RootTable(address: PhysicalAddress(0x1000), mode: $0, origin: .given)
      }, work: work)
    return DumpEvidence(state: state, memory: memory, work: work)
  }
}

/// A few pages of words of the fuzzer's.
///
/// A record is four bytes and a word: page, place, how often, and what to do with the word. Most words are
/// pointers to one of the pages, since others lead nowhere.
struct TablePages {
  static let count = 12
  let memory: SyntheticMemory

  init(_ input: inout FuzzBytes) {
    var pages = Array(repeating: [UInt8](repeating: 0, count: Page.size), count: Self.count)
    var records = 0
    while !input.isEmpty, records < 256 {
      records += 1
      let page = Int(input.byte() % UInt8(Self.count))
      let place = Int(input.word(2))
      let form = input.byte()
      let word: UInt64 =
        switch form & 3 {
        // A pointer to a page, with twelve bits of flags.
        case 0, 1: UInt64(input.byte() % UInt8(Self.count + 2)) << 12 | input.word(2) & 0xfff
        case 2: input.word()
        default: UInt64.extremes[input.index(below: UInt64.extremes.count)] | input.word(2) & 0xfff
        }
      // Bits above a pointer: the execute-disable and ignored ones, or an address far away.
      let high = form & 4 == 0 ? 0 : UInt64(input.word(2)) << 48
      let times = form & 8 == 0 ? 1 : 1 + Int(input.byte())
      let step = form >> 4
      for repetition in 0..<times {
        let value = (word | high) &+ UInt64(repetition) &* UInt64(step) << 12
        let offset = (place & 511 + repetition) & 511
        for byte in 0..<8 {
          pages[page][8 * offset + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))
        }
      }
    }
    let frames = 0..<UInt64(Self.count)
    memory = SyntheticMemory(
      pages: Dictionary(uniqueKeysWithValues: zip(frames, pages)), excluded: [], memory: [frames])
  }

  private static func record(
    _ page: UInt8, _ place: Int, to target: UInt8, _ flags: UInt16, times: UInt8 = 1
  ) -> [UInt8] {
    [page, UInt8(place & 0xff), UInt8(place >> 8), times > 1 ? 0x18 : 0, target]
      + [UInt8(flags & 0xff), UInt8(flags >> 8)] + (times > 1 ? [times - 1] : [])
  }

  /// Page tables of four levels from page 1 on, and a second set from page 4 on.
  static let seeds: [[UInt8]] = [
    [2, 0] + record(1, 0, to: 2, 7) + record(2, 0, to: 3, 7) + record(3, 1, to: 4, 7)
      + record(4, 5, to: 8, 0x67, times: 3),
    [2, 1] + record(1, 0, to: 1, 0x67, times: 200),
    [2, 3] + record(1, 0, to: 2, 7, times: 2) + record(2, 0, to: 3, 0x83) + record(4, 0, to: 5, 3)
      + record(5, 0, to: 6, 3) + record(6, 0, to: 7, 3) + record(7, 0, to: 1, 3, times: 9),
  ]

  /// A root table in page 1, its contexts in page 2, page tables from page 3 on.
  static func roots(_ mode: TableMode) -> [[UInt8]] {
    let tables =
      record(3, 0, to: 4, 3) + record(4, 0, to: 5, 3) + record(5, 0, to: 6, 3)
      + record(6, 0, to: 8, 3, times: 4)
    switch mode {
    case .scalable:
      // Context entries of four words, PASID directory in page 9, PASID entries in page 10.
      return [
        record(1, 0, to: 2, 1) + record(2, 0, to: 9, 1) + record(9, 0, to: 10, 1)
          + record(10, 0, to: 3, 0x89) + record(10, 1, to: 0, 5) + tables
      ]
    case .legacy, .extended:
      return [
        record(1, 0, to: 2, 1) + record(2, 0, to: 3, 1) + record(2, 1, to: 0, 0x502) + tables,
        record(1, 0, to: 2, 1, times: 255) + record(2, 0, to: 3, 1, times: 255)
          + record(2, 1, to: 0, 0x502, times: 255) + tables,
      ]
    }
  }
}
