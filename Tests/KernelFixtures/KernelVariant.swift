// SPDX-License-Identifier: Apache-2.0

/// Where one generation of kernels keeps what remapping is about; each choice shows in the types.
public struct KernelVariant: Sendable, CustomStringConvertible {
  public enum DomainTable: Sendable {
    case none
    /// `intel_iommu.domains[id]`.
    case flat
    /// `intel_iommu.domains[id >> 8][id & 0xff]`.
    case split
  }
  public enum DomainIDs: Sendable {
    /// One `id`, units in `iommu_bmp`.
    case single
    /// `iommu_did[]`, `iommu_refcnt[]`.
    case array
    /// `iommu_array`.
    case xarray
  }
  public enum Top: Sendable {
    case pgd
    /// `pgd` and the bit `use_first_level`.
    case pgdWithStage
    /// The generic page table.
    case generic
  }
  public enum Queue: Sendable {
    /// `deferred_flush`, an array by unit behind a static pointer.
    case table
    /// `deferred_flush`, per CPU.
    case perCPUTable
    /// `iova_domain.fq`.
    case allocator
    /// `iommu_dma_cookie.fq`.
    case cookie
    /// `iommu_dma_cookie.percpu_fq` or `single_fq`.
    case sized
  }
  public enum Depot: Sendable {
    case none
    case array
    case list
  }
  public enum PASIDs: Sendable {
    case none
    case domain
    case handle
    case tagged
  }

  public var name: String
  public var description: String { name }
  public var domainTable = DomainTable.none
  public var hasIDA = false
  public var hasCopiedTables = true
  public var hasFlags = true
  public var hasWideDescriptors = true
  public var ids = DomainIDs.xarray
  public var top = Top.pgd
  /// `struct pci_dev *` where later kernels have `struct device *`.
  public var namesFunctions = false
  /// `iommu_domain` is embedded in `dmar_domain`; otherwise it points there.
  public var embedsDomain = true
  public var infoInArchdata = false
  public var hasDeviceList = false
  /// `device_domain_info.segment`; otherwise its unit's counts.
  public var hasInfoSegment = true
  /// Members of a group are `struct iommu_device`, a name that later kernels give to units.
  public var membersAreNamedDevices = false
  /// `iommu_device_list`.
  public var hasUnitList = true
  /// `iommu_device.dev` is the device itself; otherwise it points there.
  public var embedsUnitDevice = false
  /// `dmar_domain.iovad`.
  public var allocatorInDomain = false
  public var allocatorInCookie = true
  /// `iommu_domain.cookie_type`; otherwise `iommu_dma_cookie.type`.
  public var hasCookieType = false
  public var depot = Depot.array
  public var cachesBehindPointer = true
  public var queue = Queue.cookie
  public var pasids = PASIDs.none

  public init(_ name: String, _ change: (inout Self) -> Void) {
    self.name = name
    change(&self)
  }

  /// 3.10.
  public static let g0 = KernelVariant("G0") {
    $0.domainTable = .flat
    $0.hasUnitList = false
    $0.hasCopiedTables = false
    $0.hasFlags = false
    $0.hasWideDescriptors = false
    $0.ids = .single
    $0.namesFunctions = true
    $0.embedsDomain = false
    $0.infoInArchdata = true
    $0.hasDeviceList = true
    $0.allocatorInDomain = true
    $0.allocatorInCookie = false
    $0.depot = .none
    $0.queue = .table
  }
  /// 4.2.
  public static let g1 = KernelVariant("G1") {
    $0 = g0
    $0.name = "G1"
    $0.hasFlags = true
    $0.namesFunctions = false
    $0.embedsDomain = true
  }
  /// 4.11.
  public static let g2b = KernelVariant("G2b") {
    $0 = g1
    $0.name = "G2b"
    $0.domainTable = .split
    $0.hasUnitList = true
    $0.embedsUnitDevice = true
    $0.ids = .array
    $0.depot = .array
    $0.cachesBehindPointer = false
    $0.queue = .perCPUTable
  }
  /// 4.14 to 5.10; 5.10 has the info behind `dev_iommu`.
  public static let g2c = KernelVariant("G2c") {
    $0 = g2b
    $0.name = "G2c"
    $0.embedsUnitDevice = false
    $0.queue = .allocator
    $0.allocatorInCookie = true
    $0.hasWideDescriptors = true
  }
  /// 5.14.
  public static let g3 = KernelVariant("G3") {
    $0 = g2c
    $0.name = "G3"
    $0.infoInArchdata = false
  }
  /// 5.19.
  public static let g4 = KernelVariant("G4") {
    $0 = g3
    $0.name = "G4"
    $0.domainTable = .none
    $0.cachesBehindPointer = true
    $0.queue = .cookie
  }
  /// 6.1.
  public static let g5a = KernelVariant("G5a") { _ in }
  /// 6.5.
  public static let g5b = KernelVariant("G5b") {
    $0.top = .pgdWithStage
    $0.pasids = .domain
  }
  /// 6.12.
  public static let g5c = KernelVariant("G5c") {
    $0.top = .pgdWithStage
    $0.depot = .list
    $0.queue = .sized
    $0.pasids = .handle
  }
  /// 6.18.
  public static let g5d = KernelVariant("G5d") {
    $0 = g5c
    $0.name = "G5d"
    $0.hasIDA = true
    $0.hasCookieType = true
    $0.pasids = .tagged
  }
  /// 7.3.
  public static let g6 = KernelVariant("G6") {
    $0 = g5d
    $0.name = "G6"
    $0.top = .generic
  }
  /// RHEL 7, 3.10.0-1160.el7: the driver of about 4.14 in a kernel whose core is older.
  ///
  /// Source: drivers/iommu/intel-iommu.c, drivers/iommu/iommu.c, include/linux/intel-iommu.h and iova.h
  /// of that release.
  public static let el7 = KernelVariant("EL7") {
    $0 = g2c
    $0.name = "EL7"
    $0.hasCopiedTables = false
    $0.allocatorInCookie = false
    $0.hasWideDescriptors = false
    $0.hasInfoSegment = false
    $0.membersAreNamedDevices = true
    $0.hasUnitList = false
  }
  /// RHEL 8, 4.18.0-147.el8.
  ///
  /// Source: the same files of that release.
  public static let el8 = KernelVariant("EL8") {
    $0 = g2c
    $0.name = "EL8"
    $0.hasCopiedTables = false
    $0.hasWideDescriptors = false
    $0.hasInfoSegment = false
  }
  public static let all: [KernelVariant] = [
    g0, el7, g1, g2b, g2c, el8, g3, g4, g5a, g5b, g5c, g5d, g6,
  ]
}
