// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What a live update keeps, clears and refuses, device by device.
public struct LiveUpdateForecast: Hashable, Sendable {
  public enum Choice: String, CaseIterable, Hashable, Sendable {
    /// Devices that VFIO and iommufd have.
    case byOwner = "owner"
    /// Named by the user.
    case byOption = "option"
    /// What the kernel of the dump has prepared.
    case byHandover = "handover"
  }

  public enum Outcome: String, CaseIterable, Hashable, Sendable {
    case preserved
    /// It was to be preserved and cannot be.
    case refused
    case dropped
  }

  /// Whether the kernel's types know live updates of remapping units.
  public var isKnown: Bool
  public var chosenBy: Choice
  /// The `struct iommu_flb_ser` of an update that the kernel has prepared, where that decided.
  public var handover: PhysicalAddress?
  public var units: [Unit]
  /// By device: every one that a unit translates for, and those that were asked for.
  public var devices: [Device]

  public struct Unit: Hashable, Sendable {
    public var unit: String
    /// Whether its root is handed over; without a preserved device its translation is switched off.
    public var isPreserved: Bool
    /// Context tables that are handed over.
    public var contextTables: Int
    /// Root entries, or halves of them, that are zeroed: bus and half, which is `nil` in legacy mode.
    public var clearedRoots: [Root]
    /// Source ids whose context is zeroed.
    public var cleared: [PCIFunction]
    /// Source ids whose context loses its page-request bit.
    public var withoutPageRequests: [PCIFunction]
    /// Source ids whose context stays although no device of the kernel stands for it.
    public var unclaimed: [PCIFunction]
    /// Domain-ids that the next kernel takes for preserved devices, ascending.
    public var domainIDs: [UInt32]
  }

  public struct Root: Hashable, Sendable {
    public var bus: Int
    /// `lower` or `upper`; `nil` in legacy mode.
    public var half: String?
  }

  public struct Device: Hashable, Sendable {
    public var device: DeviceName
    public var unit: String?
    public var outcome: Outcome
    /// Why it is refused; what stands between it and being preserved; what it loses.
    public var reasons: [String]
    /// The attachment's id on the unit; `nil` unless preserved.
    public var domainID: UInt32?
    /// Directory of its PASID table, in scalable mode.
    public var pasidTable: PhysicalAddress?
    /// PASIDs that the table has room for.
    public var pasidBound: Int?
    /// PASIDs whose entries stay in that table although nobody hands over their domain.
    public var lostPASIDs: [UInt32]
    public var aliases: [Alias]
    /// Bytes that its translations reached; of a dropped device each request to them faults.
    public var bytesReachable: UInt64
  }

  /// Another source id that the device's requests may carry.
  public struct Alias: Hashable, Sendable {
    public enum Outcome: String, CaseIterable, Hashable, Sendable {
      case kept
      case cleared
      /// It had no context.
      case absent
    }

    public var device: PCIFunction
    public var outcome: Outcome
    /// Devices of the other kind, preserved or not, whose requests may carry it too.
    public var sharedWith: [DeviceName]
  }
}
