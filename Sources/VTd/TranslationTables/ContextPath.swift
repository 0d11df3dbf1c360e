// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// One way into translation, as hardware reads it.
///
/// A present context entry (legacy, extended mode), a present PASID entry (scalable mode), or a
/// present scalable context entry below which no PASID entry is present.
public struct ContextPath: Hashable, Sendable {
  public var bus: UInt8
  /// Device in bits 7:3, function in bits 2:0.
  public var devfn: UInt8
  /// Scalable mode: the PASID of the entry, `nil` if there is none; other modes: `nil`.
  public var pasid: UInt32?
  public var kind: Translation
  /// As the entry has it, also in reserved types; `nil` without PASID entry.
  public var domainID: UInt16?
  /// Levels of `table`; may be a number that cannot be walked.
  ///
  /// `nil` for pass-through and none.
  public var levels: Int?
  /// Page-aligned.
  ///
  /// The first-stage table, guest-physical, in nested translation; `nil` for pass-through and none.
  public var table: PhysicalAddress?
  /// Nested translation: the second-stage table; `nil` otherwise.
  public var secondStage: StageRoot?
  /// FPD of this entry.
  public var faultProcessingDisabled: Bool
  /// FPD of this entry or of one on the way to it: no qualified fault is reported.
  public var faultsSuppressed: Bool
  /// Whether requests without PASID take this way: always in legacy and extended mode, for the
  /// PASID that the context entry names as RID_PASID in scalable mode.
  public var servesRequestsWithoutPASID: Bool
  /// First stage: the highest privilege that requests can come with.
  public var privilege: RequestPrivilege
  /// Address of the entry.
  public var entry: PhysicalAddress
  /// The entry as read, lowest word first: 2 legacy, 4 extended or a context without PASID entry,
  /// 8 of a PASID entry.
  public var words: [UInt64]
  /// The reserved bits that are set in the entry.
  public var reservedBits: EntryMask
  /// The fields whose value the unit does not allow.
  public var violations: [FieldViolation]
  /// What hardware refuses on the way to the entry, before it comes to it; `nil` if nothing.
  public var refusedAbove: ContextRefusal?
  /// Whether no PASID entry was found where not all of the PASID directory and tables could be read: what
  /// hardware finds there is not known.
  public var isIncomplete = false

  /// The requester id: bus in bits 15:8, devfn in bits 7:0.
  public var sourceID: UInt16 { UInt16(bus) << 8 | UInt16(devfn) }

  /// What hardware refuses every request for that takes this way, the first of several; `nil` if it
  /// goes on to the tables, or passes the request through, or if that is not known.
  public var refusal: ContextRefusal? {
    if let refusedAbove { return refusedAbove }
    let structure: ContextObstacle.Structure = words.count == 8 ? .pasidEntry : .contextEntry
    if !reservedBits.isEmpty { return ContextRefusal(structure, .reservedBits(reservedBits)) }
    if !violations.isEmpty { return ContextRefusal(structure, .violations(violations)) }
    return kind == .none && !isIncomplete ? ContextRefusal(structure, .noTranslation) : nil
  }

  /// The tables to walk; `nil` if nothing is translated, or if the levels are none that exist.
  ///
  /// Whether hardware ever comes to them is another question: see `refusal`.
  public var addressSpace: AddressSpace? {
    guard let table, let levels else { return nil }
    let root = StageRoot(table: table, levels: levels)
    switch kind {
    case .secondStage:
      return (2...5).contains(levels)
        ? AddressSpace(stage: .second, root: root, snoopsAlways: words.count == 8) : nil
    case .firstStage:
      return (4...5).contains(levels)
        ? AddressSpace(stage: .first, root: root, privilege: privilege) : nil
    case .nested:
      guard let secondStage, (4...5).contains(levels), (2...5).contains(secondStage.levels) else {
        return nil
      }
      return AddressSpace(stage: .first, root: root, nesting: secondStage, privilege: privilege)
    case .passThrough, .none: return nil
    }
  }
}

extension ContextPath {
  /// The way of a present context entry in legacy mode.
  public init(
    bus: UInt8, devfn: UInt8, _ context: ContextEntry, at entry: PhysicalAddress,
    unit: UnitCapabilities, refusedAbove: ContextRefusal? = nil
  ) {
    self.init(
      bus: bus, devfn: devfn, Self.kind(context.translationType), by: context, at: entry,
      unit: unit, refusedAbove: refusedAbove)
  }

  /// The way of requests without PASID through a present context entry in extended mode.
  public init(
    bus: UInt8, devfn: UInt8, _ context: ExtendedContextEntry, at entry: PhysicalAddress,
    unit: UnitCapabilities, refusedAbove: ContextRefusal? = nil
  ) {
    let kind: Translation =
      switch context.translationType {
      case .guest, .guestDeviceTLB: .passThrough
      default: Self.kind(context.translationType)
      }
    self.init(
      bus: bus, devfn: devfn, kind, by: context, at: entry, unit: unit, refusedAbove: refusedAbove)
  }

  /// The way through an entry that names the second stage itself.
  private init(
    bus: UInt8, devfn: UInt8, _ kind: Translation, by context: some StageContextEntry,
    at entry: PhysicalAddress, unit: UnitCapabilities, refusedAbove: ContextRefusal?
  ) {
    self.init(
      bus: bus, devfn: devfn, pasid: nil, kind: kind, domainID: context.domainID,
      levels: kind == .secondStage ? context.levels : nil,
      table: kind == .secondStage ? context.secondStageTable : nil, secondStage: nil,
      faultProcessingDisabled: context.faultProcessingDisabled,
      faultsSuppressed: context.faultProcessingDisabled, servesRequestsWithoutPASID: true,
      privilege: .user, entry: entry, words: context.words,
      reservedBits: context.reservedBits(unit), violations: context.violations(unit),
      refusedAbove: refusedAbove)
  }

  /// A present scalable context entry below which no PASID entry is present, or none was found.
  public init(
    bus: UInt8, devfn: UInt8, _ context: ScalableContextEntry, at entry: PhysicalAddress,
    unit: UnitCapabilities, refusedAbove: ContextRefusal? = nil, isIncomplete: Bool = false
  ) {
    self.init(
      bus: bus, devfn: devfn, pasid: nil, kind: .none, domainID: nil, levels: nil, table: nil,
      secondStage: nil, faultProcessingDisabled: context.faultProcessingDisabled,
      faultsSuppressed: context.faultProcessingDisabled, servesRequestsWithoutPASID: true,
      privilege: .user, entry: entry, words: context.words,
      reservedBits: context.reservedBits(unit), violations: context.violations(unit),
      refusedAbove: refusedAbove)
    self.isIncomplete = isIncomplete
  }

  /// The way of a present PASID entry.
  public init(
    bus: UInt8, devfn: UInt8, pasid: UInt32, _ entry: PASIDEntry, at address: PhysicalAddress,
    below context: ScalableContextEntry, directoryEntry: PASIDDirectoryEntry,
    unit: UnitCapabilities, refusedAbove: ContextRefusal? = nil
  ) {
    let kind: Translation
    var root: StageRoot?
    var second: StageRoot?
    switch entry.translationType {
    case .firstStage:
      kind = .firstStage
      root = StageRoot(table: entry.firstStageTable, levels: entry.firstStageLevels)
    case .secondStage:
      kind = .secondStage
      root = StageRoot(table: entry.secondStageTable, levels: entry.secondStageLevels)
    case .nested:
      kind = .nested
      root = StageRoot(table: entry.firstStageTable, levels: entry.firstStageLevels)
      second = StageRoot(table: entry.secondStageTable, levels: entry.secondStageLevels)
    case .passThrough: kind = .passThrough
    default: kind = .none
    }
    self.init(
      bus: bus, devfn: devfn, pasid: pasid, kind: kind, domainID: entry.domainID,
      levels: root?.levels, table: root?.table, secondStage: second,
      faultProcessingDisabled: entry.faultProcessingDisabled,
      faultsSuppressed: entry.faultProcessingDisabled || directoryEntry.faultProcessingDisabled
        || context.faultProcessingDisabled,
      servesRequestsWithoutPASID: context.requesterPASID(unit) == pasid,
      privilege: Self.privilege(
        entry, isRequester: context.requesterPASID(unit) == pasid,
        requesterIsSupervisor: context.requesterPrivilege
          && unit.extendedCapability.requesterPrivilege),
      entry: address, words: entry.words, reservedBits: entry.reservedBits(unit),
      violations: entry.violations(unit),
      refusedAbove: refusedAbove ?? ContextRefusal(below: context, directoryEntry, unit: unit))
  }

  /// Requests without PASID have the privilege that RID_PRIV says; those with one may ask for
  /// supervisor privilege, which SRE lets in.
  ///
  /// Source: VT-d specification, sections 9.4 (RID_PRIV) and 9.6 (SRE, WPE).
  private static func privilege(
    _ entry: PASIDEntry, isRequester: Bool, requesterIsSupervisor: Bool
  ) -> RequestPrivilege {
    guard entry.supervisorRequestEnable, !isRequester || requesterIsSupervisor else { return .user }
    return .supervisor(obeysReadOnly: entry.writeProtectEnable)
  }

  private static func kind(_ type: TranslationType) -> Translation {
    switch type {
    case .secondStage, .secondStageDeviceTLB: .secondStage
    case .passThrough: .passThrough
    default: .none
    }
  }
}

/// What legacy and extended context entries have in common.
private protocol StageContextEntry {
  var words: [UInt64] { get }
  var domainID: UInt16 { get }
  var levels: Int { get }
  var secondStageTable: PhysicalAddress { get }
  var faultProcessingDisabled: Bool { get }
  func reservedBits(_ unit: UnitCapabilities) -> EntryMask
  func violations(_ unit: UnitCapabilities) -> [FieldViolation]
}

extension ContextEntry: StageContextEntry {}
extension ExtendedContextEntry: StageContextEntry {}
