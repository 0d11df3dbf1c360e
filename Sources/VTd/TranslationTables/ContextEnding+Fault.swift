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
    case .path(let path):
      if !path.reservedBits.isEmpty {
        return isScalable ? FaultReason(0x5a) : .contextEntryReservedBits
      }
      let isWrong = !path.violations.isEmpty || path.kind == .none
      guard isWrong else { return nil }
      return isScalable ? .pasidEntryInvalid : .contextEntryInvalid
    case .notPresent(let structure):
      switch structure {
      case .rootTable, .rootEntry:
        return isScalable ? .scalableRootEntryNotPresent : .rootEntryNotPresent
      case .contextTable, .contextEntry:
        return isScalable ? .scalableContextEntryNotPresent : .contextEntryNotPresent
      case .pasidDirectory, .pasidDirectoryEntry: return .pasidDirectoryEntryNotPresent
      case .pasidTable, .pasidEntry: return .pasidEntryNotPresent
      }
    case .reserved(let structure, _):
      switch structure {
      case .rootTable, .rootEntry: return isScalable ? FaultReason(0x3a) : .rootEntryReservedBits
      case .contextTable, .contextEntry:
        return isScalable ? FaultReason(0x42) : .contextEntryReservedBits
      case .pasidDirectory, .pasidDirectoryEntry: return FaultReason(0x52)
      case .pasidTable, .pasidEntry: return FaultReason(0x5a)
      }
    case .violations: return isScalable ? FaultReason(0x43) : .contextEntryInvalid
    case .beyondDirectory: return FaultReason(0x46)
    case .pasidsOff: return FaultReason(isScalable ? 0x45 : 0x31)
    case .unreadable: return nil
    }
  }
}

extension ContextEnding: CustomStringConvertible {
  /// Half a sentence, lower case, no full stop.
  public var description: String {
    switch self {
    case .path(let path):
      if !path.reservedBits.isEmpty { return "entry has reserved bits \(path.reservedBits) set" }
      if let first = path.violations.first { return first.description }
      return path.kind == .none ? "no translation type is set" : "\(path.kind.rawValue) translation"
    case .notPresent(let structure): return "\(structure.rawValue) is not present"
    case .reserved(let structure, let mask):
      return "\(structure.rawValue) has reserved bits \(mask) set"
    case .violations(let structure, let violations):
      return "\(structure.rawValue): " + violations.map(\.description).joined(separator: "; ")
    case .beyondDirectory(let pasids): return "PASID directory is for \(pasids) PASIDs"
    case .pasidsOff: return "requests with PASID are not served here"
    case .unreadable(let structure, let error):
      return "\(structure.rawValue) cannot be read: \(error)"
    }
  }
}
