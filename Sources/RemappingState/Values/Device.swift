// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A device as the kernel believed it.
public struct Device: Hashable, Sendable {
  public var device: DeviceName
  public var unit: String?
  /// Of requests without PASID; `nil` where the kernel attached none.
  public var domainID: UInt32?
  /// Other source ids that the device's requests may carry.
  public var aliases: [DeviceName]
  /// Fixed regions of the device, by base: the same values as in `RemappingState.reservedRegions`.
  public var reservedRegions: [DeviceRegion]
  /// IOMMU group number.
  public var group: Int?
  /// Name of the bound driver.
  public var driver: String?

  /// The `struct device_domain_info`, or the group's domain object where there is none.
  public var kernelObject: KernelAddress?
  /// The kernel's domain of requests without PASID.
  public var domain: KernelAddress?
  /// Type of the group's default domain.
  public var defaultDomainType: DomainType?
  /// PCI vendor and device id, `8086:10d3`.
  public var pciID: String?

  public init(
    device: DeviceName, unit: String? = nil, domainID: UInt32? = nil,
    aliases: [DeviceName] = [], reservedRegions: [DeviceRegion] = [], group: Int? = nil,
    driver: String? = nil, kernelObject: KernelAddress? = nil, domain: KernelAddress? = nil,
    defaultDomainType: DomainType? = nil, pciID: String? = nil
  ) {
    self.device = device
    self.unit = unit
    self.domainID = domainID
    self.aliases = aliases
    self.reservedRegions = reservedRegions
    self.group = group
    self.driver = driver
    self.kernelObject = kernelObject
    self.domain = domain
    self.defaultDomainType = defaultDomainType
    self.pciID = pciID
  }
}

extension Device {
  /// Functions under whose source ids its requests can arrive: its own, unless it is no PCI function or
  /// sits behind a VMD controller, then its aliases.
  public var requesters: [PCIFunction] {
    let own = device.function.flatMap { $0.isBehindVMD ? nil : $0 }
    var functions = [own].compactMap(\.self)
    for alias in aliases.compactMap(\.function) where !functions.contains(alias) {
      functions.append(alias)
    }
    return functions
  }
}

/// A reserved region as one device sees it.
public struct DeviceRegion: Hashable, Sendable {
  public var kind: ReservedRegion.Kind
  public var base: IOVirtualAddress
  /// Inclusive.
  public var end: IOVirtualAddress
  /// How this device's tables map the region; `nil` for MSI and where it cannot be told.
  public var mapped: ReservedRegion.Coverage?

  public init(
    kind: ReservedRegion.Kind, base: IOVirtualAddress, end: IOVirtualAddress,
    mapped: ReservedRegion.Coverage?
  ) {
    self.kind = kind
    self.base = base
    self.end = end
    self.mapped = mapped
  }
}

/// A fixed range that firmware or the kernel takes out of normal use.
public struct ReservedRegion: Hashable, Sendable {
  public var kind: Kind
  /// `nil` where no live device tells the segment.
  public var segment: UInt32?
  public var base: IOVirtualAddress
  /// Inclusive.
  public var end: IOVirtualAddress
  public var devices: [DeviceName]
  /// The worst over the devices: identity, partial, other, absent; `nil` for MSI.
  public var mapped: Coverage?

  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case rmrr
    case isa
    case msi
    case other
  }

  /// How tables map a region, from best to worst.
  public enum Coverage: String, Hashable, Sendable, Comparable, CaseIterable {
    /// Every byte to the same physical address, read and write.
    case identity
    /// Some bytes to the same address, the rest not at all.
    case partial
    /// At least one byte to another address or with less than read and write.
    case other
    /// No byte.
    case absent

    public static func < (a: Self, b: Self) -> Bool {
      let order = Self.allCases
      return (order.firstIndex(of: a) ?? 0) < (order.firstIndex(of: b) ?? 0)
    }
  }

  public init(
    kind: Kind, segment: UInt32?, base: IOVirtualAddress, end: IOVirtualAddress,
    devices: [DeviceName], mapped: Coverage?
  ) {
    self.kind = kind
    self.segment = segment
    self.base = base
    self.end = end
    self.devices = devices
    self.mapped = mapped
  }
}
