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
