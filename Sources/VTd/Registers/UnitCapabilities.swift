// SPDX-License-Identifier: Apache-2.0

/// What a unit can do: the yardstick for bits that are reserved on some units only.
public struct UnitCapabilities: Hashable, Sendable {
  public var capability: Capability
  public var extendedCapability: ExtendedCapability
  /// Width in bits of host physical addresses, from the ACPI DMAR table (its field plus one).
  ///
  /// 52, the architectural maximum, where the table is not at hand: then no address bit that a page
  /// table can hold counts as reserved.
  public var hostAddressWidth: Int

  /// The width of the widest address that a page table can hold.
  public static let widestHostAddress = 52

  public init(
    capability: Capability, extendedCapability: ExtendedCapability,
    hostAddressWidth: Int = widestHostAddress
  ) {
    self.capability = capability
    self.extendedCapability = extendedCapability
    self.hostAddressWidth = hostAddressWidth
  }

  /// A unit that can do everything, for tables whose unit is not known: only those bits count as
  /// reserved, and only those values as not allowed, that no unit permits.
  public static let permissive = UnitCapabilities(
    capability: Capability(.max), extendedCapability: ExtendedCapability(.max))

  /// The bits of an entry's pointers that lie above the host address width.
  ///
  /// - Parameter pointers: the bits of fields that hold addresses in place.
  func beyondHostAddressWidth(_ pointers: EntryMask) -> EntryMask {
    EntryMask(pointers.words.map { $0 & bitsBeyondHostAddressWidth })
  }

  /// The bits of a 64-bit address that lie above the host address width.
  public var bitsBeyondHostAddressWidth: UInt64 {
    hostAddressWidth >= 64 ? 0 : ~0 << UInt64(max(12, hostAddressWidth))
  }
}
