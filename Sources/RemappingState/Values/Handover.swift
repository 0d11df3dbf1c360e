// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What one kernel hands to the next in a live update: a third witness beside the hardware's tables
/// and the kernel's structures.
///
/// Objects that the kernel marks as deleted are missing.
///
/// Source: `struct iommu_flb_ser`, include/linux/kho/abi/iommu.h of the series "iommu: Add live update
/// state preservation" (2026).
public struct Handover: Hashable, Sendable {
  public enum Stage: String, Hashable, Sendable, CaseIterable {
    /// This kernel came out of a live update and has not finished it.
    case incoming
    /// This kernel has prepared one.
    case outgoing
  }

  public var stage: Stage
  /// The form's name, `iommu-liveupdate-v1`; `nil` if unreadable.
  public var compatible: String?
  /// Where the structure has a version.
  public var version: UInt64?
  /// Of the `struct iommu_flb_ser`.
  public var address: PhysicalAddress
  /// In the chain's order, as the others.
  public var units: [Unit]
  public var domains: [Domain]
  public var devices: [Device]

  public init(
    stage: Stage, compatible: String? = nil, version: UInt64? = nil, address: PhysicalAddress,
    units: [Unit] = [], domains: [Domain] = [], devices: [Device] = []
  ) {
    self.stage = stage
    self.compatible = compatible
    self.version = version
    self.address = address
    self.units = units
    self.domains = domains
    self.devices = devices
  }

  /// `struct iommu_hw_ser` of an Intel unit.
  public struct Unit: Hashable, Sendable {
    /// Of the structure.
    public var address: PhysicalAddress
    /// Name of the unit with that register base; `nil` where this kernel has none.
    public var unit: String?
    public var registerBase: PhysicalAddress
    public var rootTable: PhysicalAddress
    /// Halves of the root table whose context table is handed over, bus × 2 + half; ascending.
    public var contextTables: [Int]
    /// Those that hardware finds present in the unit's root table; `nil` where it cannot be read.
    public var presentTables: [Int]?

    public init(
      address: PhysicalAddress, unit: String?, registerBase: PhysicalAddress,
      rootTable: PhysicalAddress, contextTables: [Int], presentTables: [Int]?
    ) {
      self.address = address
      self.unit = unit
      self.registerBase = registerBase
      self.rootTable = rootTable
      self.contextTables = contextTables
      self.presentTables = presentTables
    }
  }

  /// `struct iommu_domain_ser`.
  public struct Domain: Hashable, Sendable {
    public var address: PhysicalAddress
    public var table: PhysicalAddress
    /// Levels of the table: `top_level` plus 1.
    public var levels: Int
    /// Bits of an address.
    public var addressSize: Int
    public var signExtended: Bool

    public init(
      address: PhysicalAddress, table: PhysicalAddress, levels: Int, addressSize: Int,
      signExtended: Bool
    ) {
      self.address = address
      self.table = table
      self.levels = levels
      self.addressSize = addressSize
      self.signExtended = signExtended
    }
  }

  /// `struct iommu_device_ser`.
  public struct Device: Hashable, Sendable {
    public var address: PhysicalAddress
    public var device: DeviceName
    /// `attachment_id`: its domain-id on its unit.
    public var domainID: UInt32
    /// Of its domain's and its unit's structure.
    public var domain: PhysicalAddress
    public var unit: PhysicalAddress
    /// `nil` where it has none, as in legacy mode.
    public var pasidTable: PhysicalAddress?
    public var pasidBound: UInt64?

    public init(
      address: PhysicalAddress, device: DeviceName, domainID: UInt32, domain: PhysicalAddress,
      unit: PhysicalAddress, pasidTable: PhysicalAddress?, pasidBound: UInt64?
    ) {
      self.address = address
      self.device = device
      self.domainID = domainID
      self.domain = domain
      self.unit = unit
      self.pasidTable = pasidTable
      self.pasidBound = pasidBound
    }
  }
}
