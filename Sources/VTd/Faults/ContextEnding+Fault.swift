// SPDX-License-Identifier: Apache-2.0

internal import RemappingState

extension ContextEnding {
  /// The fault that a unit would record for a request that ends here.
  ///
  /// - Parameter isScalable: whether the unit is in scalable mode; otherwise in legacy or extended
  ///   mode.
  /// - Returns: `nil` if the request goes on to an address space or passes through, or if the dump
  ///   does not tell.
  ///
  /// Source: VT-d specification, section 7.1.3.
  public func faultReason(isScalable: Bool) -> FaultReason? {
    switch self {
    case .path(let path): return path.refusal?.faultReason(isScalable: isScalable)
    case .refused(let refusal): return refusal.faultReason(isScalable: isScalable)
    case .notPresent(let structure):
      switch structure {
      case .rootTable, .rootEntry: return .rootEntryNotPresent(isScalable: isScalable)
      case .contextTable, .contextEntry: return .contextEntryNotPresent(isScalable: isScalable)
      case .pasidDirectory, .pasidDirectoryEntry: return .pasidDirectoryEntryNotPresent
      case .pasidTable, .pasidEntry: return .pasidEntryNotPresent
      }
    case .beyondDirectory: return .pasidBeyondDirectory
    case .pasidsOff: return .pasidRefused(isScalable: isScalable)
    case .unreadable: return nil
    }
  }
}

extension ContextEnding: CustomStringConvertible {
  /// Half a sentence, lower case, no full stop.
  public var description: String {
    switch self {
    case .path(let path):
      return path.refusal?.description ?? "\(path.kind.rawValue) translation"
    case .refused(let refusal): return refusal.description
    case .notPresent(let structure): return "\(structure.rawValue) is not present"
    case .beyondDirectory(let pasids): return "PASID directory is for \(pasids) PASIDs"
    case .pasidsOff: return "requests with PASID are not served here"
    case .unreadable(let structure, let error):
      return "\(structure.rawValue) cannot be read: \(error)"
    }
  }
}
