// SPDX-License-Identifier: Apache-2.0

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
    let denied =
      isScalable
      ? (isWrite ? FaultReason.scalableNoWritePermission : .scalableNoReadPermission)
      : (isWrite ? FaultReason.noWritePermission : .noReadPermission)
    switch self {
    case .mapped(_, _, let access):
      return access.contains(isWrite ? .write : .read) ? nil : denied
    case .notPresent(.first, _): return .firstStageNotPresent
    case .noAccess(.first, _): return denied
    case .notPresent(.second, _), .noAccess(.second, _):
      return isScalable ? .secondStageNoPermission : denied
    case .reserved(.first, _, _): return .firstStageReservedBits
    case .reserved(.second, _, _):
      return isScalable ? .secondStageReservedBits : .pagingEntryReservedBits
    case .notCanonical: return .notCanonical
    case .beyondWidth: return isScalable ? FaultReason(0x84) : .beyondAddressWidth
    case .unsupportedLevels: return isScalable ? .pasidEntryInvalid : .contextEntryInvalid
    case .unreadable, .cycle: return nil
    }
  }
}
