// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

struct TranslationTablesTests {
  /// What an emulated unit can do: SAGAW 39 and 48 bits, 65,536 domain-ids.
  static let unit = UnitCapabilities(
    capability: Capability(0x80d2_008c_222f_0606),
    extendedCapability: ExtendedCapability(0xf0_0f4a), hostAddressWidth: 39)
  /// The same in scalable mode with first-stage and nested translation, PASIDs and page requests.
  static let scalable = UnitCapabilities(
    capability: Capability(0x80d2_008c_222f_0606),
    extendedCapability: ExtendedCapability(0x0000_c900_24f0_0f4e), hostAddressWidth: 39)

  private func read(
    _ memory: SyntheticMemory, _ mode: TableMode, unit: UnitCapabilities = scalable,
    budget: ContextBudget = ContextBudget()
  ) -> TranslationTablesReading {
    TranslationTables(
      memory: memory, rootTable: PhysicalAddress(0x1000), mode: mode, capabilities: unit
    ).read(budget: budget)
  }

  @Test func legacyContexts() {
    let memory = SyntheticMemory([
      0x1000: 0x2001, 0x1ff0: 0x3001,
      // 00:00.0 second-stage, 4 levels, domain 5
      0x2000: 0x9001, 0x2008: 0x502,
      // 00:01.0 not present though it looks like one
      0x2080: 0xa000, 0x2088: 0x602,
      // 00:1f.7 pass-through with faults off, domain 0xffff
      0x2ff0: 0xb00b, 0x2ff8: 0xff_ff02,
      // ff:00.1 reserved type
      0x3010: 0xc00d, 0x3018: 0x101,
    ])
    let reading = read(memory, .legacy, unit: Self.unit)
    #expect(reading.roots.map(\.bus) == [0, 255])
    #expect(reading.roots.map(\.entry.rawValue) == [0x1000, 0x1ff0])
    #expect(reading.roots.first?.words == [0x2001, 0] && reading.roots.first?.half == nil)
    #expect(reading.contexts.map(\.entry.rawValue) == [0x2000, 0x2ff0, 0x3010])
    #expect(reading.paths.map(\.sourceID) == [0, 0xff, 0xff01])
    #expect(reading.paths.map(\.kind) == [.secondStage, .passThrough, .none])
    #expect(reading.paths.map(\.domainID) == [5, 0xffff, 1])
    #expect(reading.paths.map(\.levels) == [4, nil, nil])
    #expect(reading.paths.map(\.table) == [PhysicalAddress(0x9000), nil, nil])
    #expect(reading.paths.map(\.faultProcessingDisabled) == [false, true, false])
    #expect(reading.paths.map(\.pasid) == [nil, nil, nil])
    #expect(reading.paths.first?.words == [0x9001, 0x502])
    #expect(
      reading.paths.first?.addressSpace
        == .secondStage(PhysicalAddress(0x9000), levels: 4))
    // The third one: TT 3.
    #expect(
      reading.obstacles.map(\.kind) == [
        .violations([FieldViolation("TT", 3, "reserved")])
      ])
  }

  @Test func scalableContexts() {
    let memory = SyntheticMemory([
      // Bus 1: lower and upper table.
      0x1010: 0x2001, 0x1018: 0x3001,
      // 01:00.0, directory of 128 entries; 01:10.0, the same directory, RID_PASID 65
      0x2000: 0x4001, 0x3000: 0x4003, 0x3008: 65,
      // 01:00.1, a directory without entries
      0x2020: 0x5001,
      // Directory entries 0 and 1, the latter with faults off.
      0x4000: 0x6001, 0x4008: 0x7003,
      // PASID 0: second-stage; 1: first-stage, 5 levels; 63: nested
      0x6000: 0x9089, 0x6008: 2,
      0x6040: 0x41, 0x6048: 3, 0x6050: 0xa004,
      0x6fc0: 0xb0c9, 0x6fc8: 4, 0x6fd0: 0xc000,
      // PASID 65: pass-through; 66: reserved type
      0x7040: 0x101, 0x7048: 1,
      0x7080: 0x1c1, 0x7088: 9,
      0x5000: 0,
    ])
    let reading = read(memory, .scalable, unit: .permissive)
    #expect(reading.roots.map(\.half) == [0, 1])
    #expect(reading.roots.map(\.entry.rawValue) == [0x1010, 0x1018])
    #expect(reading.contexts.map(\.devfn) == [0x00, 0x01, 0x80])
    #expect(reading.contexts.map(\.words.count) == [4, 4, 4])
    #expect(reading.directoryEntries.map(\.index) == [0, 1], "listed once for two contexts")
    #expect(
      reading.paths.map { "\($0.devfn) \($0.pasid.map(String.init) ?? "-") \($0.kind.rawValue)" }
        == [
          "0 0 second-stage", "0 1 first-stage", "0 63 nested", "0 65 pass-through", "0 66 none",
          "1 - none",
          "128 0 second-stage", "128 1 first-stage", "128 63 nested", "128 65 pass-through",
          "128 66 none",
        ])
    let paths = reading.paths.prefix(6)
    #expect(paths.map(\.domainID) == [2, 3, 4, 1, 9, nil])
    #expect(paths.map(\.levels) == [4, 5, 4, nil, nil, nil])
    #expect(paths.map(\.table?.rawValue) == [0x9000, 0xa000, 0xc000, nil, nil, nil])
    #expect(paths.map(\.entry.rawValue) == [0x6000, 0x6040, 0x6fc0, 0x7040, 0x7080, 0x2020])
    #expect(paths.map(\.words.count) == [8, 8, 8, 8, 8, 4])
    #expect(paths.map(\.faultProcessingDisabled) == [false, false, false, false, false, false])
    #expect(paths.map(\.faultsSuppressed) == [false, false, false, true, true, false])
    #expect(paths.map(\.servesRequestsWithoutPASID) == [true, false, false, false, false, true])
    let nested = reading.paths[2]
    #expect(nested.secondStage == StageRoot(table: PhysicalAddress(0xb000), levels: 4))
    #expect(
      nested.addressSpace
        == AddressSpace(
          stage: .first, root: StageRoot(table: PhysicalAddress(0xc000), levels: 4),
          nesting: StageRoot(table: PhysicalAddress(0xb000), levels: 4), privilege: .user))
    #expect(
      reading.paths.filter { $0.devfn == 0x80 }.map(\.servesRequestsWithoutPASID) == [
        false, false, false, true, false,
      ])
    #expect(!reading.paths.contains { $0.devfn == 0x80 && !$0.faultsSuppressed })
    // A unit that has no RID_PASID takes 0, whatever the field holds.
    var unit = UnitCapabilities.permissive
    unit.extendedCapability.rawValue &= ~(1 << 49)
    let without = read(memory, .scalable, unit: unit)
    #expect(
      without.paths.filter { $0.devfn == 0x80 }.map(\.servesRequestsWithoutPASID) == [
        true, false, false, false, false,
      ])
    #expect(without.paths.count == reading.paths.count)
    #expect(without.obstacles == reading.obstacles)
    for (unit, pasid) in [(UnitCapabilities.permissive, 65), (unit, 0)] {
      let path = TranslationTables(
        memory: memory, rootTable: PhysicalAddress(0x1000), mode: .scalable, capabilities: unit
      ).lookUp(bus: 1, devfn: 0x80).path
      #expect(path?.pasid == UInt32(pasid))
    }
  }

  @Test func extendedContexts() {
    let memory = SyntheticMemory([
      0x1000: 0x2001, 0x1008: 0x3001,
      0x2000: 0x9801, 0x2008: 0x501, 0x2010: 0x1234_5000, 0x2018: 0x6000,
      0x3020: 0x9011, 0x3028: 0x602,
    ])
    let reading = read(memory, .extended)
    #expect(reading.paths.map(\.devfn) == [0, 0x81])
    #expect(reading.paths.map(\.kind) == [.secondStage, .passThrough])
    #expect(reading.paths.map(\.domainID) == [5, 6])
    #expect(reading.paths.first?.levels == 3)
    #expect(reading.paths.first?.table == PhysicalAddress(0x9000))
    #expect(reading.paths.first?.words == [0x9801, 0x501, 0x1234_5000, 0x6000])
  }

  @Test func largeDirectoriesSpanPages() {
    // PDTS 7: 16,384 entries on 32 pages; the last PASID is 0xfffff.
    var words: [UInt64: UInt64] = [0x1000: 0x2001, 0x2000: 0x1_0e01]
    for page: UInt64 in 0..<32 { words[0x1_0000 + page << 12] = 0 }
    words[0x2_fff8] = 0x7001
    words[0x7fc0] = 0x101
    words[0x7fc8] = 1
    let reading = read(SyntheticMemory(words), .scalable)
    #expect(reading.paths.map(\.pasid) == [0xf_ffff])
    #expect(reading.directoryEntries.map(\.index) == [16_383])
    #expect(reading.obstacles.isEmpty)
  }

  @Test func missingPagesAreObstacles() {
    let memory = SyntheticMemory(
      [
        0x1000: 0x2001, 0x1010: 0x3001, 0x1020: 0x4001,
        0x4000: 0x5001, 0x4020: 0x6001, 0x4040: 0x8001, 0x6000: 0x7001,
      ], absences: [0x3000: .zeroOrExcluded, 0x5000: .excluded, 0x8000: .zeroOrExcluded])
    let reading = read(memory, .scalable)
    #expect(
      reading.obstacles.map { "\($0.structure.rawValue) \($0.address) \($0.bus ?? 99)" } == [
        "context table 0x2000 0", "context table 0x3000 1", "PASID directory 0x5000 2",
        "PASID table 0x7000 2", "PASID directory 0x8000 2",
      ])
    #expect(
      reading.obstacles.map(\.kind) == [
        .unreadable(MemoryError(at: PhysicalAddress(0x2000), .notInDump)), .assumedZero,
        .unreadable(MemoryError(at: PhysicalAddress(0x5000), .excluded)),
        .unreadable(MemoryError(at: PhysicalAddress(0x7000), .notInDump)), .assumedZero,
      ])
    // The contexts are there all the same, without a PASID entry.
    #expect(reading.paths.map(\.kind) == [.none, .none, .none])
    // What hardware finds below them is not known.
    #expect(reading.paths.map(\.refusal) == [nil, nil, nil])
    #expect(reading.exhausted == nil)
    let empty = read(
      SyntheticMemory([0x1000: 0x2001, 0x2000: 0x3001, 0x3000: 0x4001, 0x4000: 0]), .scalable)
    #expect(empty.paths.map(\.refusal) == [ContextRefusal(.contextEntry, .noTranslation)])
  }

  @Test func aMissingRootTableIsAnObstacle() {
    let reading = read(SyntheticMemory([:]), .legacy)
    #expect(reading.paths.isEmpty && reading.roots.isEmpty)
    #expect(reading.obstacles.map(\.structure) == [.rootTable])
  }

  /// Bits 11:10 of the root table address register.
  @Test(
    arguments: [
      (0x1000, .legacy), (0x1400, .scalable), (0x1800, .extended), (0x1c00, nil),
    ] as [(UInt64, TableMode?)])
  func theRegisterTellsTheMode(_ word: UInt64, _ mode: TableMode?) {
    #expect(RootTableAddress(word).mode == mode)
  }

  @Test func oneContextTableForTwoBuses() {
    let memory = SyntheticMemory([0x1000: 0x2001, 0x1050: 0x2001, 0x2000: 0x9001, 0x2008: 0x502])
    let reading = read(memory, .legacy, unit: Self.unit)
    #expect(reading.paths.map(\.bus) == [0, 5], "hardware reads it for both")
    #expect(reading.obstacles.map(\.kind) == [.shared(firstBus: 0)])
    #expect(reading.obstacles.first?.bus == 5)
  }

  @Test func reservedBitsAreReportedWithTheirEntry() {
    let memory = SyntheticMemory([
      0x1000: 0x2003, 0x1008: 0x1,
      0x2000: 0x9031, 0x2008: 0x1_0000_0582,
      0x2010: 0x80_0000_9001, 0x2018: 0x502,
      0x2020: 0x80_0000_9009, 0x2028: 0x502,
    ])
    let reading = read(memory, .legacy, unit: Self.unit)
    let masks = reading.obstacles.map { obstacle -> String in
      if case .reservedBits(let mask) = obstacle.kind { return mask.description }
      return "\(obstacle.kind)"
    }
    // The address of a pass-through entry is not looked at.
    #expect(masks == ["64, 1", "96, 71, 5:4", "39"])
    #expect(reading.paths.count == 3)
  }

  @Test(
    arguments: [
      ([0x9001, 0x503], "AW is 0x3: not in the unit's SAGAW"),
      ([0x9005, 0x502], "TT is 0x1: the unit has no device-TLB support (ECAP.DT)"),
      ([0x9009, 0x501], "AW is 0x1: pass-through needs the largest width of SAGAW"),
      ([0x900d, 0x502], "TT is 0x3: reserved"),
      ([0x9001, 0x502], ""),
      ([0x9009, 0x502], ""),
    ] as [([UInt64], String)])
  func legacyEntriesThatTheUnitDoesNotSupport(_ words: [UInt64], _ expected: String) {
    let violations = ContextEntry(words: words).violations(Self.unit)
    #expect(violations.map(\.description).joined(separator: "; ") == expected)
  }

  @Test(
    arguments: [
      ([0x9089, 2, 0], ""),
      ([0x91, 2, 0xa000], "PGTT is 0x2: the unit has no second-stage translation (ECAP.SSTS)"),
      ([0x41, 2, 0xa004], "FSPM is 0x1: the unit has no 5-level first stage (CAP.FS5LP)"),
      ([0x41, 2, 0xa00c], "FSPM is 0x3: reserved"),
      ([0xc9, 2, 0xa000], "PGTT is 0x3: the unit has no nested translation (ECAP.NEST)"),
      ([0x1c1, 2, 0], "PGTT is 0x7: reserved"),
      ([0x41, 2, 0xa001], "SRE is 0x1: the unit has no supervisor requests (ECAP.SRS)"),
    ] as [([UInt64], String)])
  func pasidEntriesThatTheUnitDoesNotSupport(_ words: [UInt64], _ expected: String) {
    var unit = UnitCapabilities(
      capability: Capability(0x80d2_008c_222f_0606),
      extendedCapability: ExtendedCapability(0x0000_c800_00f0_0f4a))
    if words[0] == 0x91 { unit.extendedCapability.rawValue &= ~(1 << 46) }
    let found = PASIDEntry(words: words).violations(unit).map(\.description)
    #expect(found.filter { !$0.hasPrefix("AW") }.joined(separator: "; ") == expected)
  }

  @Test func violationsDependOnTheUnit() {
    let context = ScalableContextEntry(words: [0x501d, 1, 0, 0])
    let bare = UnitCapabilities(
      capability: Capability(0), extendedCapability: ExtendedCapability(0))
    #expect(context.violations(bare).map(\.field) == ["DTE", "PASIDE", "PRE"])
    // PDTS 0 has 8,192 PASIDs.
    let beyond = ScalableContextEntry(words: [0x5001, 0x2000, 0, 0])
    #expect(beyond.violations(bare).isEmpty)
    #expect(beyond.violations(.permissive).map(\.field) == ["RID_PASID"])
    let full = UnitCapabilities(
      capability: Capability(.max), extendedCapability: ExtendedCapability(.max))
    #expect(context.violations(full).isEmpty)
    #expect(context.violations(.permissive).isEmpty)
    #expect(
      ContextEntry(words: [0x9001, 0x10_02]).violations(bare).map(\.field) == ["AW", "DID"])
    #expect(
      ScalableContextEntry(words: [0x51e1, 1 << 21, 1, 1]).reservedBits(full).description
        == "192, 128, 85, 8:5")
  }

  // MARK: Hostile tables

  @Test func aDirectoryThatRepeatsOneTableIsBounded() {
    // 128 contexts share a directory whose 16,384 entries all point to one full PASID table.
    var tables: [UInt64: [UInt64]] = [1: [0x2001, 0] + [UInt64](repeating: 0, count: 510)]
    tables[2] = (0..<512).map { $0 % 4 == 0 ? 0x1_0e01 : 0 }
    for page: UInt64 in 0..<32 { tables[16 + page] = [UInt64](repeating: 0x8001, count: 512) }
    tables[8] = (0..<512).map { $0 % 8 == 0 ? 0x101 : 0 }
    let budget = ContextBudget(paths: 10_000)
    let reading = read(SyntheticMemory(tables: tables), .scalable, budget: budget)
    #expect(reading.exhausted == .paths && reading.paths.count == 10_000)
    #expect(reading.obstacles.contains { $0.kind == .budgetExhausted(.paths) })
  }

  @Test func aDirectoryThatRepeatsAnEmptyTableIsBounded() {
    var tables: [UInt64: [UInt64]] = [1: [0x2001, 0] + [UInt64](repeating: 0, count: 510)]
    tables[2] = (0..<512).map { $0 % 4 == 0 ? 0x1_0e01 : 0 }
    for page: UInt64 in 0..<32 { tables[16 + page] = [UInt64](repeating: 0x8001, count: 512) }
    tables[8] = [UInt64](repeating: 0, count: 512)
    let reading = read(
      SyntheticMemory(tables: tables), .scalable, budget: ContextBudget(directoryEntries: 40_000))
    #expect(reading.exhausted == .directoryEntries)
    #expect(reading.directoryEntries.count == 16_384)
  }

  @Test func theObstacleListIsBounded() {
    var tables: [UInt64: [UInt64]] = [1: [UInt64](repeating: 0, count: 512)]
    for bus in 0..<256 { tables[1]?[bus * 2] = 0x2001 }
    tables[2] = (0..<512).map { $0 % 2 == 0 ? 0x9fff : .max }
    let reading = read(
      SyntheticMemory(tables: tables), .legacy, budget: ContextBudget(obstacles: 100))
    #expect(reading.obstacles.count == 100 && reading.obstaclesDropped > 100_000)
    #expect(reading.paths.count == 65_536)
  }
}
