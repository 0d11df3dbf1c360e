// SPDX-License-Identifier: Apache-2.0

internal import Memory
public import RemappingState

extension Unit {
  /// What the unit can do, by the CAP and ECAP that the kernel keeps of it; `nil` where they are not
  /// known.
  public var knownCapabilities: UnitCapabilities? {
    guard isHardwareKnown else { return nil }
    return UnitCapabilities(
      capability: Capability(capability.rawValue),
      extendedCapability: ExtendedCapability(extendedCapability.rawValue),
      hostAddressWidth: hostAddressWidth ?? UnitCapabilities.widestHostAddress)
  }

  /// What the unit can do; where that is unknown, everything, so that only bits count as reserved
  /// that no unit allows.
  public var yardstick: UnitCapabilities { knownCapabilities ?? .permissive }
}
