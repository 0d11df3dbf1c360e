// SPDX-License-Identifier: Apache-2.0

internal import VTd

/// What a fault reason comes to, whatever the mode of the unit numbers it.
///
/// Legacy and scalable mode have numbers of their own for one condition, and units, QEMU's among
/// them, report the other mode's now and then; reasons of one family are one fault.
///
/// Source: VT-d specification, section 7.1.3, the table of legacy and scalable fault reasons side by
/// side, and section 7.1.4 for interrupts.
enum FaultFamily: Hashable {
  case rootAbsent
  case contextAbsent
  case rootCorrupt
  case contextCorrupt
  case pagingCorrupt
  case pasidCorrupt
  /// A table could not be fetched.
  case unreachable
  case beyondWidth
  case notCanonical
  /// Not mapped, or mapped without the right.
  case notAllowed
  case interruptWindow
  case requestTypeBlocked
  case pasidsOff
  case pasidBeyond
  case pasidAbsent
  case privilege
  /// Bits of accessed and dirty pages could not be set.
  case accessedDirty

  case interruptRequestCorrupt
  case interruptBeyondTable
  case interruptAbsent
  case interruptTableUnreachable
  case interruptEntryCorrupt
  case interruptCompatibility
  case interruptSource
  case interruptPosted
  case other
}

extension FaultReason {
  var family: FaultFamily {
    switch self {
    case .rootEntryNotPresent, .scalableRootEntryNotPresent: .rootAbsent
    case .contextEntryNotPresent, .scalableContextEntryNotPresent: .contextAbsent
    case .rootEntryReservedBits, .scalableRootEntryReservedBits: .rootCorrupt
    case .contextEntryInvalid, .contextEntryReservedBits, .scalableContextEntryReservedBits,
      .scalableContextEntryInvalid, .requesterPASIDInvalid:
      .contextCorrupt
    case .pagingEntryReservedBits, .firstStageReservedBits, .secondStageReservedBits:
      .pagingCorrupt
    case .pasidDirectoryEntryReservedBits, .pasidEntryReservedBits, .pasidEntryInvalid:
      .pasidCorrupt
    case .pagingEntryUnreachable, .rootTableUnreachable, .contextTableUnreachable,
      .scalableRootTableUnreachable, .scalableContextTableUnreachable, .pasidDirectoryUnreachable,
      .pasidTableUnreachable, .firstStageUnreachable, .firstStageTopUnreachable,
      .secondStageUnreachable, .secondStageTopUnreachable, .rootTableAddressInvalid:
      .unreachable
    case .beyondAddressWidth, .beyondUnitWidth, .beyondTableWidth, .nestedBeyondSecondStage:
      .beyondWidth
    case .notCanonical: .notCanonical
    case .noWritePermission, .noReadPermission, .firstStageNotPresent, .secondStageNoPermission,
      .scalableNoWritePermission, .scalableNoReadPermission:
      .notAllowed
    case .interruptAddress, .scalableInterruptAddress: .interruptWindow
    case .translationTypeBlocks, .deviceTLBNotEnabled, .pageRequestNotEnabled,
      .pageRequestInLegacyMode:
      .requestTypeBlocked
    case .pasidNotEnabled, .pasidInLegacyMode: .pasidsOff
    case .pasidBeyondDirectory: .pasidBeyond
    case .pasidDirectoryEntryNotPresent, .pasidEntryNotPresent: .pasidAbsent
    case .supervisorPage, .noExecutePermission, .executeNotEnabled, .supervisorNotEnabled:
      .privilege
    case .interruptRequestReservedBits: .interruptRequestCorrupt
    case .interruptIndexBeyondTable: .interruptBeyondTable
    case .interruptEntryNotPresent: .interruptAbsent
    case .interruptTableUnreachable: .interruptTableUnreachable
    case .interruptEntryReservedBits: .interruptEntryCorrupt
    case .compatibilityInterruptBlocked: .interruptCompatibility
    case .interruptSourceRefused: .interruptSource
    case .postedDescriptorUnreachable, .postedDescriptorReservedBits: .interruptPosted
    default: .other
    }
  }
}

/// Names of reasons that the rules tell apart.
extension FaultReason {
  static let interruptRequestReservedBits = FaultReason(0x20)
  static let interruptIndexBeyondTable = FaultReason(0x21)
  static let interruptEntryNotPresent = FaultReason(0x22)
  static let interruptTableUnreachable = FaultReason(0x23)
  static let interruptEntryReservedBits = FaultReason(0x24)
  static let compatibilityInterruptBlocked = FaultReason(0x25)
  static let interruptSourceRefused = FaultReason(0x26)
  static let postedDescriptorUnreachable = FaultReason(0x27)
  static let postedDescriptorReservedBits = FaultReason(0x28)

  static let rootTableAddressInvalid = FaultReason(0x30)
  static let pasidInLegacyMode = FaultReason(0x31)
  static let pageRequestInLegacyMode = FaultReason(0x32)
  static let scalableRootTableUnreachable = FaultReason(0x38)
  static let scalableRootEntryReservedBits = FaultReason(0x3a)
  static let scalableContextTableUnreachable = FaultReason(0x40)
  static let scalableContextEntryReservedBits = FaultReason(0x42)
  static let scalableContextEntryInvalid = FaultReason(0x43)
  static let deviceTLBNotEnabled = FaultReason(0x44)
  static let pasidNotEnabled = FaultReason(0x45)
  static let pasidBeyondDirectory = FaultReason(0x46)
  static let pageRequestNotEnabled = FaultReason(0x47)
  static let requesterPASIDInvalid = FaultReason(0x48)
  static let pasidDirectoryUnreachable = FaultReason(0x50)
  static let pasidDirectoryEntryReservedBits = FaultReason(0x52)
  static let pasidTableUnreachable = FaultReason(0x58)
  static let pasidEntryReservedBits = FaultReason(0x5a)
  static let executeNotEnabled = FaultReason(0x5c)
  static let supervisorNotEnabled = FaultReason(0x5d)
  static let firstStageUnreachable = FaultReason(0x70)
  static let firstStageTopUnreachable = FaultReason(0x73)
  static let nestedBeyondSecondStage = FaultReason(0x74)
  static let secondStageUnreachable = FaultReason(0x78)
  static let secondStageTopUnreachable = FaultReason(0x7b)
  static let supervisorPage = FaultReason(0x81)
  static let noExecutePermission = FaultReason(0x82)
  static let beyondUnitWidth = FaultReason(0x83)
  static let beyondTableWidth = FaultReason(0x84)
  static let scalableInterruptAddress = FaultReason(0x87)
}
