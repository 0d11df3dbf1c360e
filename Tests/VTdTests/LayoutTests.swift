// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

struct LayoutTests {
  /// A layout with the number of bits it has to cover.
  struct Layout: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var fields: [BitField]
    var bits: Int
  }

  static let layouts: [Layout] =
    [
      layout(Capability.self), layout(ExtendedCapability.self), layout(GlobalCommand.self),
      layout(RootTableAddress.self), layout(RootEntry.self), layout(ScalableRootEntry.self),
      layout(ContextEntry.self), layout(ExtendedContextEntry.self),
      layout(ScalableContextEntry.self), layout(PASIDDirectoryEntry.self),
      layout(PASIDEntry.self), layout(SecondStageEntry.self), layout(FirstStageEntry.self),
      layout(InterruptRemapEntry.self), layout(InvalidationDescriptor.self),
      Layout(
        testDescription: "posted interrupt", fields: InterruptRemapEntry.postedLayout, bits: 128),
    ]
    + paging
    + (0...15).map {
      Layout(
        testDescription: "invalidation type \($0)",
        fields: InvalidationDescriptor.layout(of: InvalidationType(rawValue: $0)), bits: 256)
    }

  static var paging: [Layout] {
    var result: [Layout] = []
    for stage in [Stage.first, .second] {
      for level in 1...5 {
        for word: UInt64 in [0, 0x80] {
          result.append(
            Layout(
              testDescription: "\(stage.description) of level \(level as Int), \(word)",
              fields: stage.layout(of: word, level: level), bits: 64))
        }
      }
    }
    return result
  }

  static func layout<Entry: TableEntry>(_ type: Entry.Type) -> Layout {
    Layout(testDescription: "\(type)", fields: type.layout, bits: type.bitCount)
  }

  @Test(arguments: layouts)
  func tilesTheEntry(_ layout: Layout) {
    var next = 0
    for field in layout.fields {
      #expect(field.bits.lowerBound == next, "before \(field.name)")
      // A field wider than the word that `BitField.value` returns could not be read.
      if field.role == .field { #expect(field.bits.count <= 64, "\(field.name)") }
      next = field.bits.upperBound + 1
    }
    #expect(next == layout.bits)
  }

  /// What an accessor says, to be compared with the field of that name.
  typealias Accessor<Entry> = (name: String, value: (Entry) -> UInt64)

  private func compare<Entry: TableEntry>(
    _ accessors: [Accessor<Entry>], fields: (Entry) -> [BitField] = { _ in Entry.layout }
  ) throws {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      let words = (0..<Entry.wordCount).map { _ in generator.next() }
      let entry = Entry(words: words)
      let mask: UInt64 = Entry.bitCount < 64 ? (1 << UInt64(Entry.bitCount)) - 1 : .max
      #expect(entry.words == words.map { $0 & mask }, "no bit is lost")
      for accessor in accessors {
        guard let field = fields(entry).first(where: { $0.name == accessor.name }) else {
          Issue.record("no field \(accessor.name) in \(Entry.self)")
          continue
        }
        #expect(
          accessor.value(entry) == entry.value(of: field),
          "\(Entry.self).\(accessor.name), seed \(seed)")
      }
    }
  }

  private func bit(_ value: Bool) -> UInt64 { value ? 1 : 0 }

  @Test func registersAgreeWithTheirLayout() throws {
    try compare(
      [
        ("RWBF", { bit($0.requiredWriteBufferFlushing) }), ("CM", { bit($0.cachingMode) }),
        ("AFL", { bit($0.advancedFaultLogging) }), ("PLMR", { bit($0.protectedLowMemory) }),
        ("PHMR", { bit($0.protectedHighMemory) }), ("ZLR", { bit($0.zeroLengthRead) }),
        ("SAGAW", { UInt64($0.supportedAddressWidths) }),
        ("MGAW", { UInt64($0.maximumGuestAddressWidth - 1) }),
        ("FRO", { UInt64($0.faultRecordOffset / 16) }),
        ("SSLPS", { UInt64($0.secondStageLargePages) }),
        ("PSI", { bit($0.pageSelectiveInvalidation) }),
        ("NFR", { UInt64($0.faultRecordCount - 1) }), ("MAMV", { UInt64($0.maximumAddressMask) }),
        ("DWD", { bit($0.writeDraining) }), ("DRD", { bit($0.readDraining) }),
        ("FS1GP", { bit($0.firstStage1GiB) }), ("PI", { bit($0.postedInterrupts) }),
        ("FS5LP", { bit($0.firstStage5Level) }),
        ("ND", { UInt64(($0.domainCount.trailingZeroBitCount - 4) / 2) }),
      ] as [Accessor<Capability>])
    try compare(
      [
        ("C", { bit($0.pageWalkCoherency) }), ("QI", { bit($0.queuedInvalidation) }),
        ("DT", { bit($0.deviceTLB) }), ("IR", { bit($0.interruptRemapping) }),
        ("EIM", { bit($0.extendedInterruptMode) }), ("PT", { bit($0.passThrough) }),
        ("SC", { bit($0.snoopControl) }), ("IRO", { UInt64($0.iotlbRegisterOffset / 16) }),
        ("MHMV", { UInt64($0.maximumHandleMask) }), ("ECS", { bit($0.extendedContext) }),
        ("MTS", { bit($0.memoryTypes) }), ("NEST", { bit($0.nesting) }),
        ("PRS", { bit($0.pageRequests) }), ("ERS", { bit($0.executeRequests) }),
        ("SRS", { bit($0.supervisorRequests) }), ("EAFS", { bit($0.extendedAccessedFlag) }),
        ("PSS", { UInt64($0.pasidBits - 1) }), ("PASID", { bit($0.pasid) }),
        ("SMTS", { bit($0.scalableMode) }), ("SSADS", { bit($0.secondStageAccessedDirty) }),
        ("SSTS", { bit($0.secondStage) }), ("FSTS", { bit($0.firstStage) }),
        ("SMPWCS", { bit($0.scalablePageWalkCoherency) }), ("RPS", { bit($0.requesterPASID) }),
        ("ADMS", { bit($0.abortDMAMode) }), ("RPRIVS", { bit($0.requesterPrivilege) }),
      ] as [Accessor<ExtendedCapability>])
    try compare(
      [
        ("CFI", { bit($0.compatibilityFormatInterrupts) }),
        ("SIRTP", { bit($0.setInterruptTablePointer) }),
        ("IRE", { bit($0.interruptRemappingEnable) }),
        ("QIE", { bit($0.queuedInvalidationEnable) }), ("WBF", { bit($0.writeBufferFlush) }),
        ("SRTP", { bit($0.setRootTablePointer) }), ("TE", { bit($0.translationEnable) }),
      ] as [Accessor<GlobalCommand>])
    try compare(
      [
        ("TTM", { $0.mode.map { [.legacy: 0, .scalable: 1, .extended: 2][$0] ?? 9 } ?? 3 }),
        ("RTA", { $0.rootTable.rawValue >> 12 }),
      ] as [Accessor<RootTableAddress>])
  }

  @Test func rootAndContextEntriesAgreeWithTheirLayout() throws {
    try compare(
      [
        ("P", { bit($0.isPresent) }), ("CTP", { $0.contextTable.rawValue >> 12 }),
      ] as [Accessor<RootEntry>])
    try compare(
      [
        ("LP", { bit($0.isLowerPresent) }), ("LCTP", { $0.lowerContextTable.rawValue >> 12 }),
        ("UP", { bit($0.isUpperPresent) }), ("UCTP", { $0.upperContextTable.rawValue >> 12 }),
      ] as [Accessor<ScalableRootEntry>])
    try compare(
      [
        ("P", { bit($0.isPresent) }), ("FPD", { bit($0.faultProcessingDisabled) }),
        ("TT", { UInt64($0.translationType.rawValue) }),
        ("SSPTPTR", { $0.secondStageTable.rawValue >> 12 }), ("AW", { UInt64($0.addressWidth) }),
        ("AW", { UInt64($0.levels - 2) }), ("DID", { UInt64($0.domainID) }),
      ] as [Accessor<ContextEntry>])
    try compare(
      [
        ("P", { bit($0.isPresent) }), ("FPD", { bit($0.faultProcessingDisabled) }),
        ("T", { UInt64($0.translationType.rawValue) }), ("PRE", { bit($0.pageRequestEnable) }),
        ("NESTE", { bit($0.nestingEnable) }), ("PASIDE", { bit($0.pasidEnable) }),
        ("SLPTPTR", { $0.secondStageTable.rawValue >> 12 }), ("AW", { UInt64($0.addressWidth) }),
        ("DID", { UInt64($0.domainID) }), ("PTS", { UInt64($0.pasidTableSize) }),
        ("PASIDPTR", { $0.pasidTable.rawValue >> 12 }),
        ("PASIDSTPTR", { $0.pasidStateTable.rawValue >> 12 }),
      ] as [Accessor<ExtendedContextEntry>])
    try compare(
      [
        ("P", { bit($0.isPresent) }), ("FPD", { bit($0.faultProcessingDisabled) }),
        ("DTE", { bit($0.deviceTLBEnable) }), ("PASIDE", { bit($0.pasidEnable) }),
        ("PRE", { bit($0.pageRequestEnable) }), ("PDTS", { UInt64($0.pasidDirectorySize) }),
        ("PDTS", { UInt64($0.pasidDirectoryEntryCount.trailingZeroBitCount - 7) }),
        ("PASIDDIRPTR", { $0.pasidDirectory.rawValue >> 12 }),
        ("RID_PASID", { UInt64($0.requesterPASID) }), ("RID_PRIV", { bit($0.requesterPrivilege) }),
      ] as [Accessor<ScalableContextEntry>])
  }

  @Test func pasidAndPagingEntriesAgreeWithTheirLayout() throws {
    try compare(
      [
        ("P", { bit($0.isPresent) }), ("FPD", { bit($0.faultProcessingDisabled) }),
        ("SMPTBLPTR", { $0.pasidTable.rawValue >> 12 }),
      ] as [Accessor<PASIDDirectoryEntry>])
    try compare(
      [
        ("P", { bit($0.isPresent) }), ("FPD", { bit($0.faultProcessingDisabled) }),
        ("AW", { UInt64($0.addressWidth) }), ("SSEE", { bit($0.secondStageExecuteEnable) }),
        ("PGTT", { UInt64($0.translationType.rawValue) }),
        ("SSADE", { bit($0.secondStageAccessedDirtyEnable) }),
        ("SSPTPTR", { $0.secondStageTable.rawValue >> 12 }), ("DID", { UInt64($0.domainID) }),
        ("PWSNP", { bit($0.pageWalkSnoop) }), ("PGSNP", { bit($0.pageSnoop) }),
        ("SRE", { bit($0.supervisorRequestEnable) }), ("ERE", { bit($0.executeRequestEnable) }),
        ("FSPM", { UInt64($0.firstStagePagingMode) }), ("WPE", { bit($0.writeProtectEnable) }),
        ("NXE", { bit($0.noExecuteEnable) }), ("FSPTPTR", { $0.firstStageTable.rawValue >> 12 }),
      ] as [Accessor<PASIDEntry>])
    try compare(
      [
        ("R", { bit($0.access.contains(.read)) }), ("W", { bit($0.access.contains(.write)) }),
        ("PS", { bit($0.pageSize) }), ("A", { bit($0.accessed) }), ("D", { bit($0.dirty) }),
        ("SNP", { bit($0.snoop) }),
        ("ADDR", { $0.address.rawValue >> 12 }),
      ] as [Accessor<SecondStageEntry>])
    try compare(
      [
        ("P", { bit($0.isPresent) }), ("RW", { bit($0.isWritable) }), ("US", { bit($0.isUser) }),
        ("A", { bit($0.accessed) }), ("D", { bit($0.dirty) }), ("PS", { bit($0.pageSize) }),
        ("XD", { bit($0.executeDisable) }), ("ADDR", { $0.address.rawValue >> 12 }),
      ] as [Accessor<FirstStageEntry>])
  }

  @Test func interruptEntriesAgreeWithTheFormatThatTheySay() throws {
    try compare(
      [
        ("P", { bit($0.isPresent) }), ("FPD", { bit($0.faultProcessingDisabled) }),
        ("AVAIL", { UInt64($0.available) }), ("IM", { bit($0.isPosted) }),
        ("V", { UInt64($0.vector) }), ("SID", { UInt64($0.sourceID) }),
        ("SQ", { UInt64($0.sourceQualifier) }), ("SVT", { UInt64($0.sourceValidation) }),
      ] as [Accessor<InterruptRemapEntry>], fields: { $0.fields })
    try compare(
      [
        ("DM", { bit($0.isLogicalDestination) }), ("RH", { bit($0.redirectionHint) }),
        ("TM", { bit($0.isLevelTriggered) }), ("DLM", { UInt64($0.deliveryMode) }),
        ("DST", { UInt64($0.destination) }),
      ] as [Accessor<InterruptRemapEntry>], fields: { _ in InterruptRemapEntry.remappedLayout })
    try compare(
      [
        ("URG", { bit($0.isUrgent) }), ("PDAH", { $0.postedDescriptor.rawValue >> 32 }),
        ("PDAL", { ($0.postedDescriptor.rawValue & 0xffff_ffff) >> 6 }),
      ] as [Accessor<InterruptRemapEntry>], fields: { _ in InterruptRemapEntry.postedLayout })
  }

  @Test func decodesAPostedDescriptor() {
    let entry = InterruptRemapEntry(words: [0x1234_56c0_0031_8001, 0xabcd_0000_0004_00f8])
    #expect(entry.isPosted && entry.vector == 0x31)
    #expect(entry.postedDescriptor == PhysicalAddress(0xabcd_0000_1234_56c0))
    #expect(entry.sourceID == 0xf8 && entry.accepts(source: 0xf8) == true)
  }

  @Test(arguments: [
    (0x0100 as UInt64, 0 as UInt64, 0 as UInt64, 0x0200 as UInt16, true as Bool?),  // none
    (0x0100, 1, 0, 0x0100, true),
    (0x0100, 1, 0, 0x0101, false),
    (0x0100, 1, 1, 0x0104, true),
    (0x0100, 1, 3, 0x0107, true),
    (0x0100, 1, 3, 0x0108, false),
    (0x0105, 2, 0, 0x0300, true),  // buses 1 to 5
    (0x0105, 2, 0, 0x0600, false),
    (0x0501, 2, 0, 0x0500, false),  // an empty range
    (0x0100, 3, 0, 0x0100, nil),
  ])
  func validatesSources(
    _ sid: UInt64, _ validation: UInt64, _ qualifier: UInt64, _ source: UInt16, _ expected: Bool?
  ) {
    let entry = InterruptRemapEntry(words: [1, sid | qualifier << 16 | validation << 18])
    #expect(entry.accepts(source: source) == expected)
  }

  @Test func decodesInvalidations() {
    let iotlb = InvalidationDescriptor(words: [0x0005_00f2, 0xffff_e043])
    #expect(iotlb.type == .iotlb && iotlb.granularity == 3 && iotlb.domainID == 5)
    #expect(iotlb.address == IOVirtualAddress(0xffff_e000))
    #expect(iotlb.addressMask == 3 && iotlb.invalidationHint == true)
    #expect(iotlb.reservedBits.isEmpty && iotlb.pasid == nil)

    let wait = InvalidationDescriptor(words: [0x0000_0002_0000_0025, 0x1234_5604])
    #expect(wait.type == .wait && wait.statusData == 2)
    #expect(wait.statusAddress == PhysicalAddress(0x1234_5604))

    let pasid = InvalidationDescriptor(words: [0x000f_ffff_0007_0036, 0x8000])
    #expect(pasid.type == .pasidIOTLB && pasid.pasid == 0xf_ffff && pasid.domainID == 7)

    let index = InvalidationDescriptor(words: [0x0000_0021_1000_0014])
    #expect(index.interruptIndices?.first == 0x21 && index.interruptIndices?.mask == 2)

    // Bit 9 belongs to the type, so this is no IOTLB invalidation.
    #expect(InvalidationDescriptor(words: [0x202]).type == InvalidationType(rawValue: 0x12))
    #expect(InvalidationDescriptor(words: [0x1002]).reservedBits.description == "12")
  }

  @Test func capabilitiesOfAnEmulatedUnit() {
    let capability = Capability(0x80d2_008c_222f_0606)
    #expect(capability.domainCount == 65_536 && capability.maximumGuestAddressWidth == 48)
    #expect(capability.supports(levels: 3) && capability.supports(levels: 4))
    #expect(!capability.supports(levels: 5) && !capability.supports(levels: 2))
    #expect(!capability.supports(levels: 99) && capability.maximumLevels == 4)
    #expect(capability.secondStage2MiB && capability.secondStage1GiB)
    #expect(capability.faultRecordOffset == 0x220 && capability.faultRecordCount == 1)
    #expect(Capability(0).maximumLevels == nil)
    #expect(Capability(.max).domainCount == 262_144)
  }

  @Test func everyFaultReasonHasADescription() {
    for code in UInt8.min...UInt8.max {
      let reason = FaultReason(code)
      #expect(!reason.description.isEmpty)
      #expect((reason.condition == nil) == (reason.meaning == "unknown"))
    }
    #expect(FaultReason.all.count == 75)
    #expect(FaultReason.all == FaultReason.all.sorted { $0.rawValue < $1.rawValue })
    #expect(FaultReason.noWritePermission.condition?.isQualified == true)
    #expect(FaultReason.rootEntryNotPresent.condition?.isQualified == false)
    #expect(FaultReason(0x26).isInterruptRemapping && !FaultReason(0x30).isInterruptRemapping)
  }

  @Test func masksReadLikeTheSpecification() {
    #expect(EntryMask([0xff0, 0x80]).description == "71, 11:4")
    #expect(EntryMask([1 << 63, 1]).description == "64:63")
    #expect(EntryMask([0, 0]).isEmpty && EntryMask([0, 0]).description.isEmpty)
  }

  @Test func entriesBeyondTheEndOfAPageReadAsZero() {
    let entry = ContextEntry(page: Page([UInt8](repeating: 0xff, count: 4096)), word: 511)
    #expect(entry.words == [.max, 0])
    #expect(ContextEntry(page: .zero, word: -1).words == [0, 0])
  }
}
