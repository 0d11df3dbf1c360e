// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A device that the kernel's remapping code knows, or a PCI function that it could know.
public struct LinuxDevice: Hashable, Sendable {
  public var name: DeviceName
  /// The `struct device`.
  public var kernelObject: KernelAddress
  /// PCI class code: base class, sub-class, interface in bits 23:0.
  public var classCode: UInt32?
  public var vendorID: UInt16?
  public var deviceID: UInt16?
  public var driver: String?
  /// Whether it is in an IOMMU group, which may not be readable.
  public var hasGroup = false
  /// IOMMU group number.
  public var group: Int?
  /// The group's default domain and the one in force (`struct iommu_domain`).
  public var groupDefaultDomain: KernelAddress?
  public var groupDomain: KernelAddress?
  /// The `struct device_domain_info`; `nil` where the driver made none.
  public var info: KernelAddress?
  /// `device_domain_info.iommu`.
  public var iommu: KernelAddress?
  /// The `struct dmar_domain` that the device is attached to.
  public var domain: KernelAddress?
  /// Attachment was put off until a driver asks for it (a crash kernel's inherited device).
  public var attachDeferred: Bool
  /// Directory of the device's PASID table.
  public var pasidDirectory: PhysicalAddress?
  /// Domains by PASID, of the group's `pasid_array`: `struct iommu_domain`.
  public var pasidDomains: [UInt32: KernelAddress]
  /// Source ids, other than its own, that its requests may carry.
  public var aliases: [PCIFunction]
  /// The source id under which the driver looks its context up; another than its own for a device
  /// that is no PCI function, and behind a VMD controller.
  public var requester: PCIFunction?
  /// Bridges from the device's bus up to the root, nearest first.
  public var bridges: [PCIFunction]
}

/// A reserved memory region (RMRR) as the kernel keeps it.
public struct LinuxReservedRegion: Hashable, Sendable {
  public var kernelObject: KernelAddress
  public var base: UInt64
  /// Inclusive.
  public var end: UInt64
  /// Devices of its scope that Linux had found.
  public var scope: [DeviceName]
}
