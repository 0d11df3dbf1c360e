// SPDX-License-Identifier: Apache-2.0

import RemappingState

extension TranslationEnding {
  /// The fault that a unit would record for a request that ends here.
  ///
  /// - Parameters:
  ///   - isWrite: whether the device writes; otherwise it reads.
  ///   - isScalable: whether the unit is in scalable mode; otherwise in legacy or extended mode.
  /// - Returns: `nil` if the request passes, or if the dump does not tell because a table is missing
  ///   or lies on its own path.
  ///
  /// Source: VT-d specification, section 7.1.3.
  public func faultReason(isWrite: Bool, isScalable: Bool) -> FaultReason? {
    let denied = FaultReason.noPermission(isWrite: isWrite, isScalable: isScalable)
    switch self {
    case .mapped(_, _, let access):
      return access.contains(isWrite ? .write : .read) ? nil : denied
    case .notPresent(.first, _): return .firstStageNotPresent
    case .noAccess(.first, _): return denied
    case .notPresent(.second, _), .noAccess(.second, _):
      return isScalable ? .secondStageNoPermission : denied
    case .reserved(.first, _, _): return .firstStageReservedBits
    case .reserved(.second, _, _): return .secondStageReservedBits(isScalable: isScalable)
    case .notCanonical: return .notCanonical
    case .beyondWidth: return .beyondTables(isScalable: isScalable)
    case .beyondUnit: return .beyondUnit(isScalable: isScalable)
    case .supervisorPage: return .supervisorPage
    case .interruptTarget: return .interruptAddress(isScalable: isScalable)
    case .unsupportedLevels: return .lastEntryInvalid(isScalable: isScalable)
    case .unreadable, .cycle: return nil
    }
  }
}

extension TranslationTrace {
  /// The fault that a unit would record for the request, if any: see
  /// `TranslationEnding.faultReason(isWrite:isScalable:)`.
  ///
  /// An entry of the second stage that lacks the right ends the request before the reserved bits of
  /// the same or of a lower one are looked at.
  ///
  /// Source: QEMU, hw/i386/intel_iommu.c, `vtd_iova_to_slpte`.
  public func faultReason(isWrite: Bool, isScalable: Bool) -> FaultReason? {
    if case .reserved(.second, _, _) = ending {
      let right: PagingAccess = isWrite ? .write : .read
      let isDenied = steps.contains {
        $0.stage == .second && !PagingAccess(entry: $0.word).contains(right)
      }
      if isDenied {
        return isScalable
          ? .secondStageNoPermission : .noPermission(isWrite: isWrite, isScalable: false)
      }
    }
    return ending.faultReason(isWrite: isWrite, isScalable: isScalable)
  }
}
