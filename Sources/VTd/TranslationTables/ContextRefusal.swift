// SPDX-License-Identifier: Apache-2.0

public import RemappingState

/// Why hardware refuses every request that comes to an entry above the page tables.
public struct ContextRefusal: Hashable, Sendable {
  public var structure: ContextObstacle.Structure
  public var cause: Cause

  public enum Cause: Hashable, Sendable {
    case reservedBits(EntryMask)
    case violations([FieldViolation])
    /// A reserved translation type, or no PASID entry to go on with.
    case noTranslation
  }

  public init(_ structure: ContextObstacle.Structure, _ cause: Cause) {
    self.structure = structure
    self.cause = cause
  }

  /// `nil` if no reserved bits are set.
  init?(_ structure: ContextObstacle.Structure, reserved: EntryMask) {
    guard !reserved.isEmpty else { return nil }
    self.init(structure, .reservedBits(reserved))
  }

  /// What is wrong with the entries between the root entry and a PASID entry.
  init?(
    below context: ScalableContextEntry, _ directoryEntry: PASIDDirectoryEntry,
    unit: UnitCapabilities
  ) {
    if let refusal = ContextRefusal(context, unit: unit) {
      self = refusal
    } else if let refusal = ContextRefusal(
      .pasidDirectoryEntry, reserved: directoryEntry.reservedBits(unit))
    {
      self = refusal
    } else {
      return nil
    }
  }

  init?(_ context: ScalableContextEntry, unit: UnitCapabilities) {
    if let refusal = ContextRefusal(.contextEntry, reserved: context.reservedBits(unit)) {
      self = refusal
      return
    }
    let violations = context.violations(unit)
    guard !violations.isEmpty else { return nil }
    self.init(.contextEntry, .violations(violations))
  }

  /// The fault that the unit records.
  ///
  /// - Parameter isScalable: whether the unit is in scalable mode; otherwise in legacy or extended
  ///   mode.
  ///
  /// Source: VT-d specification, section 7.1.3.
  public func faultReason(isScalable: Bool) -> FaultReason {
    switch (structure, cause) {
    case (.rootTable, _), (.rootEntry, _): .rootEntryReservedBits(isScalable: isScalable)
    case (.contextTable, .reservedBits), (.contextEntry, .reservedBits):
      .contextEntryReservedBits(isScalable: isScalable)
    case (.contextEntry, .noTranslation) where isScalable: .pasidEntryNotPresent
    case (.contextTable, _), (.contextEntry, _): .contextEntryInvalid(isScalable: isScalable)
    case (.pasidDirectory, _), (.pasidDirectoryEntry, _): .pasidDirectoryEntryReservedBits
    case (.pasidTable, .reservedBits), (.pasidEntry, .reservedBits): .pasidEntryReservedBits
    case (.pasidTable, _), (.pasidEntry, _): .pasidEntryInvalid
    }
  }
}

extension ContextRefusal: CustomStringConvertible {
  /// Half a sentence, lower case, no full stop.
  public var description: String {
    switch cause {
    case .reservedBits(let mask): "\(structure.rawValue) has reserved bits \(mask) set"
    case .violations(let violations):
      "\(structure.rawValue): " + violations.map(\.description).joined(separator: "; ")
    case .noTranslation:
      "\(structure.rawValue) leads to no translation"
    }
  }
}
