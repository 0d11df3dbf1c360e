// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

/// What becomes of requests: the whole way, from the source id to the page.
struct RequestTests {
  /// One device, 00:02.0, with a 4-level table that maps what the tests ask for.
  private static let words: [UInt64: UInt64] = [
    0x1000: 0x2001,  // root entry of bus 0
    0x2100: 0x3001, 0x2108: 0x0002 | 5 << 8,  // 00:02.0, 4 levels, domain-id 5
    0x2200: 0x0000_0009, 0x2208: 0x0002,  // 00:04.0, pass-through, 4 levels
    0x3000: 0x4003,  // 0 to 512 GiB
    0x3010: 0x4003,  // 1 TiB and more
    0x4000: 0x5003,  // 0 to 1 GiB
    0x4018: 0x6003,  // 3 GiB to 4 GiB
    0x5000: 0x7003,
    0x6000 + 8 * (0xfee0_0000 >> 21 & 511): 0x8003,
    0x7000: 0x1234_5003,  // 0
    0x7008: 0xfee0_1003,  // 0x1000 → interrupt range
    0x7010: 0x9001,  // 0x2000, read-only
    0x8000: 0x1234_5003,  // 0xfee00000
  ]

  private static func unit(widthMinusOne: UInt64) -> UnitCapabilities {
    UnitCapabilities(
      capability: Capability(2 | 6 << 8 | widthMinusOne << 16 | 3 << 34),
      extendedCapability: ExtendedCapability(1 << 6))
  }

  private func resolve(
    _ address: UInt64, devfn: UInt8 = 0x10, pasid: UInt32? = nil, on: Bool = true,
    widthMinusOne: UInt64 = 47, adding: [UInt64: UInt64] = [:]
  ) -> RequestTrace {
    let unit = Self.unit(widthMinusOne: widthMinusOne)
    let tables = TranslationTables(
      memory: SyntheticMemory(Self.words.merging(adding) { $1 }),
      rootTable: PhysicalAddress(0x1000),
      mode: .legacy, capabilities: unit)
    return RequestResolver(tables: tables, isTranslating: on, unit: unit).resolve(
      MemoryRequest(bus: 0, devfn: devfn, pasid: pasid, address: IOVirtualAddress(address)))
  }

  @Test func mappedPagesAreReached() {
    let trace = resolve(0x123)
    #expect(
      trace.ending
        == .translation(
          .mapped(PhysicalAddress(0x1234_5123), pageSize: 4096, access: .all)))
    #expect(trace.faultReason(isWrite: true) == nil)
    #expect(resolve(0x2000).faultReason(isWrite: true) == .noWritePermission)
    #expect(resolve(0x2000).faultReason(isWrite: false) == nil)
  }

  @Test func theInterruptRangeIsNeverTranslated() {
    #expect(resolve(0xfee0_0000).ending == .interrupt)
    #expect(resolve(0xfeef_ffff).ending == .interrupt)
    #expect(resolve(0xfee0_0000, devfn: 0x20).ending == .interrupt)
    #expect(resolve(0xfee0_0000, on: false).ending == .interrupt)
    #expect(resolve(0xfedf_ffff).faultReason(isWrite: true) == .noWritePermission)
    // Nor may a translation lead there.
    let trace = resolve(0x1000)
    #expect(trace.ending == .translation(.interruptTarget(PhysicalAddress(0xfee0_1000))))
    #expect(trace.faultReason(isWrite: true) == .interruptAddress)
  }

  @Test func withTranslationOffEveryAddressIsPhysical() {
    let trace = resolve(0x7777_0000, on: false)
    #expect(trace.ending == .untranslated(PhysicalAddress(0x7777_0000)))
    #expect(trace.faultReason(isWrite: true) == nil && trace.context == nil)
  }

  @Test func theUnitsWidthBoundsTheAddress() {
    #expect(resolve(1 << 40).faultReason(isWrite: true) == nil)
    let trace = resolve(1 << 40, widthMinusOne: 38)
    #expect(trace.ending == .translation(.beyondUnit(39)))
    #expect(trace.faultReason(isWrite: false) == .beyondAddressWidth)
    #expect(resolve(1 << 40, devfn: 0x20, widthMinusOne: 38).ending == trace.ending)
    #expect(
      resolve(1 << 40, devfn: 0x20).ending == .passThrough(PhysicalAddress(1 << 40)))
    #expect(resolve(1 << 48).ending == .translation(.beyondWidth(.second, 48)))
  }

  @Test(arguments: [
    (0x1000 as UInt64, 0x2011 as UInt64, FaultReason.rootEntryReservedBits),
    (0x1008, 1, .rootEntryReservedBits),
    (0x2100, 0x3021, .contextEntryReservedBits),
    (0x2100, 0x300d, .contextEntryInvalid),
    (0x2108, 0x0005 | 5 << 8, .contextEntryInvalid),
  ])
  func refusedEntriesStopTheRequest(_ address: UInt64, _ word: UInt64, _ fault: FaultReason) throws
  {
    let trace = resolve(0, adding: [address: word])
    #expect(trace.faultReason(isWrite: true) == fault)
    guard case .context(let ending) = trace.ending else {
      Issue.record("\(trace.ending)")
      return
    }
    #expect(ending.faultReason(isScalable: false) == fault)
    // The reading of all tables says the same of the path.
    let tables = TranslationTables(
      memory: SyntheticMemory(Self.words.merging([address: word]) { $1 }),
      rootTable: PhysicalAddress(0x1000), mode: .legacy, capabilities: Self.unit(widthMinusOne: 47))
    let path = try #require(tables.read().paths.first { $0.devfn == 0x10 })
    #expect(path.refusal?.faultReason(isScalable: false) == fault)
    #expect(path.refusal.map(\.description) == ending.description)
  }

  @Test func aMissingRightEndsBeforeReservedBits() {
    // Read-only at level 2, reserved bits at level 1: a write does not come that far.
    let trace = resolve(0, adding: [0x5000: 0x7001, 0x7000: 0x1234_5003 | 1 << 62])
    #expect(trace.faultReason(isWrite: true) == .noWritePermission)
    #expect(trace.faultReason(isWrite: false) == .pagingEntryReservedBits)
  }

  @Test func withoutARootNothingIsKnown() {
    let resolver = RequestResolver(tables: nil, isTranslating: true, unit: nil)
    let trace = resolver.resolve(
      MemoryRequest(bus: 0, devfn: 0, pasid: nil, address: IOVirtualAddress(0)))
    #expect(trace.ending == .unknownRoot && trace.faultReason(isWrite: true) == nil)
    #expect(!trace.ending.description.isEmpty)
  }

  // MARK: Scalable mode

  /// A device whose PASID entries are those of the argument; PASID n at 0x5000 + 64 n.
  private func scalable(
    _ entry: [UInt64], context: [UInt64] = [0x3009, 0, 0, 0], address: UInt64,
    pasid: UInt32? = nil, ecap: UInt64 = 0x00ff_ffff_ffff_ffff, adding: [UInt64: UInt64] = [:]
  ) -> RequestTrace {
    var words: [UInt64: UInt64] = [
      0x1000: 0x2001, 0x3000: 0x5001, 0x8000: 0x9007, 0x9000: 0xa007, 0xa000: 0xb007,
      0xb000: 0x1234_5005, 0xb008: 0x1234_5003, 0xa000 + 8 * 511: 0xc007,
    ]
    for (index, word) in context.enumerated() { words[0x2200 + 8 * UInt64(index)] = word }
    for (index, word) in entry.enumerated() {
      words[0x5000 + 64 * UInt64(pasid ?? 0) + 8 * UInt64(index)] = word
    }
    let unit = UnitCapabilities(
      capability: Capability(0x2f_0606 | 3 << 34 | 3 << 56 | 1 << 60),
      extendedCapability: ExtendedCapability(ecap))
    let tables = TranslationTables(
      memory: SyntheticMemory(words.merging(adding) { $1 }), rootTable: PhysicalAddress(0x1000),
      mode: .scalable, capabilities: unit)
    return RequestResolver(tables: tables, isTranslating: true, unit: unit).resolve(
      MemoryRequest(bus: 0, devfn: 0x10, pasid: pasid, address: IOVirtualAddress(address)))
  }

  private static let firstStage: [UInt64] = [1 | 1 << 6, 2, 0x8000]

  @Test func snoopIsNotLookedAtInScalableMode() {
    let trace = scalable(
      [0x8001 | 2 << 2 | 2 << 6, 2], address: 0, ecap: 0x00ff_ffff_ffff_ff7f,
      adding: [0xb000: 0x1234_5803])
    #expect(
      trace.ending
        == .translation(.mapped(PhysicalAddress(0x1234_5000), pageSize: 4096, access: .all)))
  }

  @Test func privilegeOfRequestersIsNoDamage() {
    let trace = scalable(
      Self.firstStage, context: [0x3009, 1 << 20, 0, 0], address: 0,
      ecap: 0x00ff_ffff_ffff_ffff & ~(1 << 53))
    #expect(trace.context?.path?.refusal == nil)
    #expect(trace.faultReason(isWrite: false) == nil)
  }

  @Test func usersStayOutOfSupervisorPages() {
    #expect(scalable(Self.firstStage, address: 0).faultReason(isWrite: false) == nil)
    #expect(
      scalable(Self.firstStage, address: 0x1000).faultReason(isWrite: true) == .supervisorPage)
    // SRE lets requests with PASID ask for more; without WPE they write to read-only pages too.
    var entry = Self.firstStage
    entry[2] |= 1
    let context: [UInt64] = [0x3009, 0, 0, 0]
    let open = scalable(entry, context: context, address: 0, pasid: 3)
    #expect(open.faultReason(isWrite: true) == nil)
    #expect(scalable(entry, address: 0x1000, pasid: 3).faultReason(isWrite: true) == nil)
    entry[2] |= 1 << 4
    #expect(
      scalable(entry, address: 0, pasid: 3).faultReason(isWrite: true)
        == .scalableNoWritePermission)
  }

  @Test func withPASIDTheInterruptRangeIsTranslated() {
    let address: UInt64 = 0xfee0_0000
    let trace = scalable(Self.firstStage, address: address, pasid: 3)
    #expect(trace.faultReason(isWrite: true) == .firstStageNotPresent)
    #expect(scalable(Self.firstStage, address: address).ending == .interrupt)
    let passThrough: [UInt64] = [1 | 2 << 2 | 4 << 6, 2]
    #expect(
      scalable(passThrough, address: address, pasid: 3).faultReason(isWrite: true)
        == .scalableInterruptAddress)
    #expect(
      scalable(passThrough, address: 0x1000, pasid: 3).ending
        == .passThrough(PhysicalAddress(0x1000)))
  }

  @Test func firstStageAddressesAreCanonical() {
    #expect(
      scalable(Self.firstStage, address: 1 << 47).faultReason(isWrite: true) == .notCanonical)
    #expect(
      scalable(Self.firstStage, address: 0xffff_8000_0000_0000).faultReason(isWrite: true)
        == .firstStageNotPresent)
  }

  // MARK: Numbers

  @Test(arguments: [
    (0x02 as UInt8, 0x41 as UInt8, true), (0x01, 0x39, true), (0x03, 0x5b, true),
    (0x05, 0x85, true), (0x05, 0x79, true), (0x06, 0x79, true), (0x79, 0x85, true),
    (0x04, 0x83, true), (0x83, 0x84, true), (0x0c, 0x7a, true), (0x0e, 0x87, true),
    (0x05, 0x06, false), (0x02, 0x39, false), (0x85, 0x86, false), (0x42, 0x5a, false),
    (0x43, 0x5b, false), (0x22, 0x41, false), (0xf0, 0xf0, true), (0xf0, 0xf1, false),
  ])
  func numbersOfOneCondition(_ first: UInt8, _ second: UInt8, _ same: Bool) {
    #expect(FaultReason(first).isSameFault(as: FaultReason(second)) == same)
    #expect(FaultReason(second).isSameFault(as: FaultReason(first)) == same)
  }

  @Test func counterparts() {
    #expect(FaultReason.contextEntryNotPresent.counterpart == .scalableContextEntryNotPresent)
    #expect(FaultReason.scalableContextEntryNotPresent.counterpart == .contextEntryNotPresent)
    #expect(FaultReason.pasidEntryNotPresent.counterpart == nil)
    #expect(FaultReason.pasidEntryNotPresent.condition?.level == .pasid)
  }

  // MARK: Runs

  @Test func runsAreCutAtTheirLimits() {
    let bounds = RequestBounds(stage: .second, tableWidth: 48, unitWidth: 39)
    let run = MappedRun(
      iova: IOVirtualAddress(0xfed0_0000), length: 0x40_0000, physical: PhysicalAddress(0x1000),
      access: .all)
    let pieces = bounds.pieces(of: run, hasPASID: false)
    #expect(pieces.map(\.run.length) == [0x10_0000, 0x10_0000, 0x20_0000])
    #expect(pieces.map(\.obstacle) == [nil, .interruptWindow, nil])
    #expect(bounds.pieces(of: run, hasPASID: true).allSatisfy { $0.obstacle == nil })
    let wide = MappedRun(
      iova: IOVirtualAddress((1 << 39) - 0x1000), length: 0x2000, physical: PhysicalAddress(0),
      access: .all)
    #expect(
      bounds.pieces(of: wide, hasPASID: false).map(\.obstacle)
        == [nil, .beyondWidth(.beyondUnit(39))])
    let target = MappedRun(
      iova: IOVirtualAddress(0), length: 1 << 30, physical: PhysicalAddress(0xc000_0000),
      access: .all)
    let cut = bounds.pieces(of: target, hasPASID: false)
    #expect(cut.map(\.obstacle) == [nil, .interruptTarget, nil])
    #expect(cut.reduce(into: 0 as UInt64) { $0 += $1.run.length } == 1 << 30)
    #expect(cut.allSatisfy { $0.obstacle?.description.isEmpty != true })
    let negative = MappedRun(
      iova: IOVirtualAddress(0xffff_ffff_ffff_f000), length: 0x1000, physical: PhysicalAddress(0),
      access: .all)
    let first = RequestBounds(stage: .first, tableWidth: 48, unitWidth: 48)
    #expect(first.pieces(of: negative, hasPASID: true).map(\.obstacle) == [nil])
  }
}
