// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Where a context that is not in a state may be one that was not read, so that its absence proves nothing.
public struct HiddenContexts: Hashable, Sendable {
  /// Whether a unit itself may be missing, or is another driver's: what any device of none of the known units
  /// meets is not known.
  public let lacksUnits: Bool
  /// Of any unit.
  private var isEverywhere = false
  private var units: Set<String> = []
  /// Whose PASID directory or tables lack something, and their units.
  private var devices: Set<DeviceName> = []
  private var unitsOfDevices: Set<String> = []

  /// - Parameters:
  ///   - units: all that are known.
  ///   - observations: of the kernel's structures and of the tables.
  public init(units: [Unit], observations: [Observation]) {
    for unit in units where unit.rootTable == nil && unit.translationEnabled != false {
      self.units.insert(unit.name)
    }
    for observation in observations where observation.hidesContexts {
      guard let unit = observation.unit else {
        isEverywhere = true
        continue
      }
      if let device = observation.device {
        devices.insert(device)
        unitsOfDevices.insert(unit)
      } else {
        self.units.insert(unit)
      }
    }
    lacksUnits = observations.lackUnits
  }

  /// Whether some device may have a context that was not read.
  ///
  /// - Parameter unit: its unit; `nil` where the kernel's records do not tell.
  public func mayHide(contextsOn unit: String?) -> Bool {
    mayHideTable(of: unit)
      || (unit.map { unitsOfDevices.contains($0) } ?? !unitsOfDevices.isEmpty)
  }

  /// Whether a device may have a context, or a PASID entry, that was not read.
  ///
  /// - Parameters:
  ///   - device: the source of the requests.
  ///   - isKnown: whether a context of it was read.
  ///   - unit: its unit; `nil` where the kernel's records do not tell.
  public func mayHide(contextsOf device: PCIFunction, isKnown: Bool, on unit: String?) -> Bool {
    devices.contains(.pci(device)) || !isKnown && mayHideTable(of: unit)
  }

  /// Whether the context entry itself of a device of some unit may be what is missing.
  private func mayHideTable(of unit: String?) -> Bool {
    isEverywhere || (unit.map { units.contains($0) } ?? (lacksUnits || !units.isEmpty))
  }
}

extension RemappingState {
  /// Where contexts of this state may be missing.
  public var hiddenContexts: HiddenContexts {
    HiddenContexts(units: units, observations: observations)
  }
}
