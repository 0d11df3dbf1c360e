// SPDX-License-Identifier: Apache-2.0

/// Where a context that is not in a state may be one that was not read, so that its absence proves nothing.
public struct HiddenContexts: Hashable, Sendable {
  /// Whether a unit itself may be missing: what any device of none of the known units meets is not known.
  public let lacksUnits: Bool
  /// Of any unit.
  private var isEverywhere = false
  private var units: Set<String> = []

  /// - Parameters:
  ///   - units: all that are known.
  ///   - observations: of the kernel's structures and of the tables.
  public init(units: [Unit], observations: [Observation]) {
    for unit in units where unit.rootTable == nil && unit.translationEnabled != false {
      self.units.insert(unit.name)
    }
    for observation in observations where observation.hidesContexts {
      if let unit = observation.unit { self.units.insert(unit) } else { isEverywhere = true }
    }
    lacksUnits = observations.lack(\.isPartOfUnitList)
  }

  /// Whether a device may have a context that was not read.
  ///
  /// - Parameter unit: its unit; `nil` where the kernel's records do not tell.
  public func mayHide(contextsOn unit: String?) -> Bool {
    isEverywhere || (unit.map { units.contains($0) } ?? (lacksUnits || !units.isEmpty))
  }
}

extension RemappingState {
  /// Where contexts of this state may be missing.
  public var hiddenContexts: HiddenContexts {
    HiddenContexts(units: units, observations: observations)
  }
}
