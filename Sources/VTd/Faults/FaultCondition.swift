// SPDX-License-Identifier: Apache-2.0

/// A condition that the specification defines for a fault.
public struct FaultCondition: Hashable, Sendable {
  public var reason: FaultReason
  /// The specification's name of the condition, or of the first of several with one code.
  public var name: String
  /// The structure whose look-up ended the request.
  public var level: Level
  /// Whether FPD in the entry that was used keeps such a fault from being recorded.
  public var isQualified: Bool
  /// What happened: a sentence's core, lower case, no full stop.
  public var meaning: String
  /// What legacy and scalable mode have numbers of their own for; empty where one mode alone knows
  /// the condition.
  public var kinds: Set<Kind>

  /// How far a request had come.
  public enum Level: String, Hashable, Sendable {
    case rootTableAddress = "root table address"
    case root = "root table"
    case context = "context table"
    case pasidDirectory = "PASID directory"
    case pasid = "PASID table"
    case firstStage = "first-stage tables"
    case secondStage = "second-stage tables"
    /// The address or the right, at whatever table.
    case general
    case interrupt = "interrupt remapping"
  }

  /// What happened, whatever the mode's number for it.
  public enum Kind: Hashable, Sendable {
    case rootEntryNotPresent
    case contextEntryNotPresent
    case contextEntryInvalid
    case beyondWidth
    case noWrite
    case noRead
    case secondStageUnreachable
    case rootTableUnreachable
    case contextTableUnreachable
    case rootEntryReserved
    case contextEntryReserved
    case secondStageReserved
    case requestKindBlocked
    case interruptAddress
    case pasidRefused

    /// Those that scalable mode alone has several numbers for: which one a unit takes depends on
    /// the stage that it asks first.
    static let withSeveralNumbers: Set<Kind> = [.noRead, .noWrite, .beyondWidth]
  }

  private init(
    _ reason: FaultReason, _ name: String, _ level: Level, _ isQualified: Bool, _ meaning: String,
    _ kinds: Set<Kind> = []
  ) {
    self.reason = reason
    self.name = name
    self.level = level
    self.isQualified = isQualified
    self.meaning = meaning
    self.kinds = kinds
  }

  /// Ascending by number.
  public static let all: [FaultCondition] = [
    .init(
      .rootEntryNotPresent, "LRT.2", .root, false, "root entry is not present",
      [.rootEntryNotPresent]),
    .init(
      .contextEntryNotPresent, "LCT.2", .context, true, "context entry is not present",
      [.contextEntryNotPresent]),
    .init(
      .contextEntryInvalid, "LCT.4", .context, true,
      "context entry is programmed in a way the unit does not support", [.contextEntryInvalid]),
    .init(
      .beyondAddressWidth, "LGN.1", .general, true,
      "address is beyond the width of the tables or of the unit (MGAW)", [.beyondWidth]),
    .init(
      .noWritePermission, "LGN.2", .general, true, "no write permission, or the page is not mapped",
      [.noWrite]),
    .init(
      .noReadPermission, "LGN.3", .general, true, "no read permission, or the page is not mapped",
      [.noRead]),
    .init(
      .pagingEntryUnreachable, "LSL.1", .secondStage, true, "access to a second-stage table failed",
      [.secondStageUnreachable]),
    .init(
      .rootTableUnreachable, "LRT.1", .root, false, "access to the root table failed",
      [.rootTableUnreachable]),
    .init(
      .contextTableUnreachable, "LCT.1", .context, false, "access to the context table failed",
      [.contextTableUnreachable]),
    .init(
      .rootEntryReservedBits, "LRT.3", .root, false, "reserved bits are set in the root entry",
      [.rootEntryReserved]),
    .init(
      .contextEntryReservedBits, "LCT.3", .context, false,
      "reserved bits are set in the context entry", [.contextEntryReserved]),
    .init(
      .pagingEntryReservedBits, "LSL.2", .secondStage, true,
      "reserved bits are set in a second-stage entry", [.secondStageReserved]),
    .init(
      .translationTypeBlocks, "LCT.5", .context, true,
      "the translation type of the context blocks this kind of request", [.requestKindBlocked]),
    .init(
      .interruptAddress, "LGN.4", .general, true,
      "the address translates into the interrupt address range", [.interruptAddress]),
    .init(
      .interruptRequestReservedBits, "IR.1", .interrupt, false,
      "reserved bits are set in the interrupt request"),
    .init(
      .interruptIndexBeyondTable, "IR.2", .interrupt, false,
      "the index is beyond the interrupt remapping table"),
    .init(
      .interruptEntryNotPresent, "IR.3", .interrupt, true,
      "interrupt remapping entry is not present"),
    .init(
      .interruptTableUnreachable, "IR.4", .interrupt, false,
      "access to the interrupt remapping table failed"),
    .init(
      .interruptEntryReservedBits, "IR.5", .interrupt, true,
      "reserved bits are set in the interrupt remapping entry"),
    .init(
      .compatibilityInterruptBlocked, "IR.6", .interrupt, false,
      "compatibility-format interrupt is blocked"),
    .init(
      .interruptSourceRefused, "IR.7", .interrupt, true,
      "the source id is not the one that the entry demands"),
    .init(
      .postedDescriptorUnreachable, "IR.8", .interrupt, true,
      "access to the posted-interrupt descriptor failed"),
    .init(
      .postedDescriptorReservedBits, "IR.9", .interrupt, true,
      "reserved bits are set in the posted-interrupt descriptor"),
    .init(
      .interruptRequestKindBlocked, "IR.10", .interrupt, false,
      "interrupt request with an address type or PASID that is not allowed"),
    .init(
      .rootTableAddressInvalid, "RTA.1", .rootTableAddress, false,
      "root table address or translation table mode is invalid"),
    .init(
      .pasidInLegacyMode, "RTA.2", .rootTableAddress, false,
      "request with PASID while the unit is in legacy mode", [.pasidRefused]),
    .init(
      .pageRequestInLegacyMode, "RTA.3", .rootTableAddress, false,
      "page request while the unit is in legacy mode"),
    .init(
      .refusedByTableMode, "RTA.4", .rootTableAddress, false,
      "refused because of the mode in the root table address register, before any table is read"),
    .init(
      .scalableRootTableUnreachable, "SRT.1", .root, false, "access to the root table failed",
      [.rootTableUnreachable]),
    .init(
      .scalableRootEntryNotPresent, "SRT.2", .root, false, "root entry is not present",
      [.rootEntryNotPresent]),
    .init(
      .scalableRootEntryReservedBits, "SRT.3", .root, false,
      "reserved bits are set in the root entry", [.rootEntryReserved]),
    .init(
      .scalableContextTableUnreachable, "SCT.1", .context, false,
      "access to the context table failed", [.contextTableUnreachable]),
    .init(
      .scalableContextEntryNotPresent, "SCT.2", .context, true, "context entry is not present",
      [.contextEntryNotPresent]),
    .init(
      .scalableContextEntryReservedBits, "SCT.3", .context, true,
      "reserved bits are set in the context entry", [.contextEntryReserved]),
    .init(
      .scalableContextEntryInvalid, "SCT.4", .context, true,
      "context entry is programmed in a way the unit does not support", [.contextEntryInvalid]),
    .init(
      .deviceTLBNotEnabled, "SCT.5", .context, true,
      "translation request, but device TLBs are not enabled (DTE)", [.requestKindBlocked]),
    .init(
      .pasidNotEnabled, "SCT.6", .context, true,
      "request with PASID, but PASIDs are not enabled (PASIDE)", [.pasidRefused]),
    .init(
      .pasidBeyondDirectory, "SCT.7", .context, true, "PASID is beyond the PASID directory (PDTS)"),
    .init(
      .pageRequestNotEnabled, "SCT.8", .context, true,
      "page request, but page requests are not enabled (PRE)"),
    .init(
      .requesterPASIDInvalid, "SCT.9", .context, true,
      "the PASID of requests without PASID is invalid (RID_PASID)"),
    .init(
      .pasidDirectoryUnreachable, "SPD.1", .pasidDirectory, false,
      "access to the PASID directory failed"),
    .init(
      .pasidDirectoryEntryNotPresent, "SPD.2", .pasidDirectory, true,
      "PASID directory entry is not present"),
    .init(
      .pasidDirectoryEntryReservedBits, "SPD.3", .pasidDirectory, true,
      "reserved bits are set in the PASID directory entry"),
    .init(.pasidTableUnreachable, "SPT.1", .pasid, false, "access to the PASID table failed"),
    .init(.pasidEntryNotPresent, "SPT.2", .pasid, true, "PASID entry is not present"),
    .init(
      .pasidEntryReservedBits, "SPT.3", .pasid, true, "reserved bits are set in the PASID entry",
      [.contextEntryReserved]),
    .init(
      .pasidEntryInvalid, "SPT.4", .pasid, true,
      "PASID entry is programmed in a way the unit does not support", [.contextEntryInvalid]),
    .init(
      .executeNotEnabled, "SPT.5", .pasid, true, "execute request, but those are not enabled (ERE)"),
    .init(
      .supervisorNotEnabled, "SPT.6", .pasid, true,
      "supervisor request, but those are not enabled (SRE)"),
    .init(
      .firstStageUnreachable, "SFS.1", .firstStage, true, "access to a first-stage table failed"),
    .init(.firstStageNotPresent, "SFS.2", .firstStage, true, "first-stage entry is not present"),
    .init(
      .firstStageReservedBits, "SFS.3", .firstStage, true,
      "reserved bits are set in a first-stage entry"),
    .init(
      .firstStageTopUnreachable, "SFS.4", .firstStage, true,
      "access to the top first-stage table failed (FSPTPTR)"),
    .init(
      .nestedBeyondSecondStage, "SFS.5", .firstStage, true,
      "nested: a first-stage address is beyond the second stage's width"),
    .init(
      .nestedTopNotReadable, "SFS.6", .firstStage, true,
      "nested: no read permission for the top first-stage table"),
    .init(
      .nestedTableNotReadable, "SFS.7", .firstStage, true,
      "nested: no read permission for a first-stage table"),
    .init(
      .nestedTableNotWritable, "SFS.8", .firstStage, true,
      "nested: no write permission for a first-stage table"),
    .init(
      .secondStageUnreachable, "SSS.1", .secondStage, true, "access to a second-stage table failed",
      [.secondStageUnreachable]),
    .init(
      .secondStageNoPermission, "SSS.2", .secondStage, true,
      "no permission in a second-stage entry, or it is not present", [.noRead, .noWrite]),
    .init(
      .secondStageReservedBits, "SSS.3", .secondStage, true,
      "reserved bits are set in a second-stage entry", [.secondStageReserved]),
    .init(
      .secondStageTopUnreachable, "SSS.4", .secondStage, true,
      "access to the top second-stage table failed (SSPTPTR)", [.secondStageUnreachable]),
    .init(
      .secondStageFlagNeedsSnoop, "SSS.5", .secondStage, true,
      "second-stage accessed or dirty flag needs a write without snooping"),
    .init(
      .secondStageFlagFailed, "SSS.6", .secondStage, true,
      "update of a second-stage accessed or dirty flag failed"),
    .init(
      .notCanonical, "SGN.1", .general, true, "first-stage address is not canonical", [.beyondWidth]
    ),
    .init(.supervisorPage, "SGN.2", .general, true, "user request for a supervisor page (US is 0)"),
    .init(.noExecutePermission, "SGN.3", .general, true, "no execute permission"),
    .init(
      .beyondUnitWidth, "SGN.4", .general, true, "address is beyond the width of the unit (MGAW)",
      [.beyondWidth]),
    .init(
      .beyondTableWidth, "SGN.5", .general, true,
      "address is beyond the width of the second-stage tables", [.beyondWidth]),
    .init(.scalableNoWritePermission, "SGN.6", .general, true, "no write permission", [.noWrite]),
    .init(.scalableNoReadPermission, "SGN.7", .general, true, "no read permission", [.noRead]),
    .init(
      .scalableInterruptAddress, "SGN.8", .general, true,
      "the address lies in or translates into the interrupt address range", [.interruptAddress]),
    .init(
      .refusedOutsideTables, "SGN.9", .general, true,
      "refused by a check that belongs to no table; only recent revisions define the number, and no kernel names it"
    ),
    .init(
      .refusedOutsideTables2, "SGN.10", .general, true,
      "refused by a check that belongs to no table; only recent revisions define the number, and no kernel names it"
    ),
    .init(
      .firstStageFlagNeedsSnoop, "SFS.9", .firstStage, true,
      "first-stage accessed or dirty flag needs a write without snooping"),
    .init(
      .firstStageFlagFailed, "SFS.10", .firstStage, true,
      "update of a first-stage accessed or dirty flag failed"),
  ]

  static let byCode = Dictionary(
    all.map { ($0.reason.rawValue, $0) }, uniquingKeysWith: { first, _ in first })
}

extension FaultReason {
  /// The number that a unit gives a condition in its mode.
  ///
  /// - Parameters:
  ///   - legacy: in legacy and extended mode.
  ///   - scalable: in scalable mode.
  static func pick(_ legacy: FaultReason, _ scalable: FaultReason, isScalable: Bool) -> Self {
    isScalable ? scalable : legacy
  }

  public static func rootEntryNotPresent(isScalable: Bool) -> Self {
    pick(.rootEntryNotPresent, .scalableRootEntryNotPresent, isScalable: isScalable)
  }
  public static func rootEntryReservedBits(isScalable: Bool) -> Self {
    pick(.rootEntryReservedBits, .scalableRootEntryReservedBits, isScalable: isScalable)
  }
  public static func contextEntryNotPresent(isScalable: Bool) -> Self {
    pick(.contextEntryNotPresent, .scalableContextEntryNotPresent, isScalable: isScalable)
  }
  public static func contextEntryReservedBits(isScalable: Bool) -> Self {
    pick(.contextEntryReservedBits, .scalableContextEntryReservedBits, isScalable: isScalable)
  }
  public static func contextEntryInvalid(isScalable: Bool) -> Self {
    pick(.contextEntryInvalid, .scalableContextEntryInvalid, isScalable: isScalable)
  }
  /// Of the entry that names the tables: the context entry, in scalable mode the PASID entry.
  public static func lastEntryInvalid(isScalable: Bool) -> Self {
    pick(.contextEntryInvalid, .pasidEntryInvalid, isScalable: isScalable)
  }
  public static func pasidRefused(isScalable: Bool) -> Self {
    pick(.pasidInLegacyMode, .pasidNotEnabled, isScalable: isScalable)
  }
  public static func noPermission(isWrite: Bool, isScalable: Bool) -> Self {
    isWrite
      ? pick(.noWritePermission, .scalableNoWritePermission, isScalable: isScalable)
      : pick(.noReadPermission, .scalableNoReadPermission, isScalable: isScalable)
  }
  public static func secondStageReservedBits(isScalable: Bool) -> Self {
    pick(.pagingEntryReservedBits, .secondStageReservedBits, isScalable: isScalable)
  }
  public static func beyondTables(isScalable: Bool) -> Self {
    pick(.beyondAddressWidth, .beyondTableWidth, isScalable: isScalable)
  }
  public static func beyondUnit(isScalable: Bool) -> Self {
    pick(.beyondAddressWidth, .beyondUnitWidth, isScalable: isScalable)
  }
  public static func interruptAddress(isScalable: Bool) -> Self {
    pick(.interruptAddress, .scalableInterruptAddress, isScalable: isScalable)
  }
}
