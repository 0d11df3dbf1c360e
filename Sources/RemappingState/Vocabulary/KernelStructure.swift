// SPDX-License-Identifier: Apache-2.0

/// What of the kernel's own structures a reader reads, by the name under which reports speak of it.
///
/// Closed: a reader that reads something else needs a case here, so that rules can tell what is
/// missing without looking into a sentence. The raw value is the report's text.
public enum KernelStructure: String, Hashable, Sendable, CaseIterable {
  // Units.
  case unitList = "dmar_drhd_units list"
  case unit = "struct dmar_drhd_unit"
  /// The kernel's copy of the firmware's description of a unit.
  case firmwareUnit = "DMAR unit structure"
  case deviceScope = "device scope of"
  case intelIOMMU = "struct intel_iommu"
  case globalCommand = "gcmd"
  case addressWidth = "agaw"
  case rootEntry = "root_entry"
  case tableMode = "table mode"
  case flags
  /// The bitmap of contexts that still are a previous kernel's.
  case copiedTables = "copied_tables"
  case interruptRemapping = "struct ir_table"
  case interruptTable = "interrupt-remapping table"
  case interruptBitmap = "interrupt-remapping bitmap"
  case invalidation = "struct q_inval"
  case invalidationQueue = "invalidation queue"
  case invalidationStatus = "invalidation queue status"
  case domainIDs = "domain-ids"
  case domainIDAllocator = "domain_ida"
  case domainTable = "domain table"

  // Units of other drivers.
  case otherUnitList = "iommu_device_list"
  case otherUnit = "struct iommu_device"

  // The tree of PCI devices.
  case buses = "PCI buses"
  case rootBuses = "pci_root_buses list"
  case bus = "struct pci_bus"
  case devicesOfBus = "devices of bus"
  case childrenOfBus = "children of bus"
  case bridgeOfBus = "bridge of a bus"
  case pciDevice = "struct pci_dev"
  case hostBridgeWindows = "host-bridge windows"

  // Devices.
  case device = "struct device"
  case deviceOfScope = "device of a scope"
  case aliases = "DMA aliases"
  case driver
  case group = "iommu_group"
  case groupSet = "iommu_group_kset"
  case groupList = "iommu_group list"
  case devicesOfGroup = "devices of an iommu_group"
  case groupDevice = "struct group_device"
  case deviceInfo = "device_domain_info"
  case deviceInfoList = "device_domain_list"
  case pasidArray = "pasid_array"

  // Domains.
  case domain = "struct dmar_domain"
  case genericDomain = "struct iommu_domain"
  case staticIdentity = "si_domain"
  case operations = "intel_iommu_ops"
  case unitsOfDomain = "iommu_array"
  case unitOfDomain = "struct iommu_domain_info"
  case references = "references of a domain"
  case geometry = "domain geometry"
  case processTable = "process page table"
  case pageTable = "domain page table"

  // IOVA allocators.
  case allocator = "IOVA allocator"
  case allocatorTree = "IOVA tree"
  case allocation = "struct iova"
  case caches = "IOVA caches"
  case depot = "IOVA depot"
  case cacheOfCPU = "IOVA cache of CPU"
  case flushQueue = "IOVA flush queue"
  case flushQueueOfCPU = "IOVA flush queue of CPU"
  case deferredFlush = "deferred_flush"
  case possibleCPUs = "possible CPUs"
  case reservedTemplate = "reserved_iova_list"

  // What firmware and the kernel's map of memory say.
  case reservedRegions = "reserved memory regions"
  case reservedRegionList = "dmar_rmrr_units list"
  case reservedRegion = "struct dmar_rmrr_unit"
  case rootPortList = "dmar_atsr_units list"
  case rootPort = "struct dmar_atsr_unit"
  case translationCacheList = "dmar_satc_units list"
  case translationCache = "struct dmar_satc_unit"
  case resources = "iomem_resource tree"
  case hostAddressWidth = "host address width of the DMAR table"

  // What a live update hands over.
  case handover = "struct iommu_flb_ser"
  case handoverUnits = "struct iommu_hw_ser chain"
  case handoverDomains = "struct iommu_domain_ser chain"
  case handoverDevices = "struct iommu_device_ser chain"

  /// All of them: nothing of the kernel could be read.
  case everything = "kernel structures"
  /// Problems that were counted and not listed.
  case problems
}

extension KernelStructure {
  /// Whether a PCI device, or a number under which its requests arrive, may be missing from the state
  /// where this could not be read.
  public var isPartOfPCITree: Bool {
    switch self {
    case .buses, .rootBuses, .bus, .devicesOfBus, .childrenOfBus, .bridgeOfBus: true
    case .pciDevice, .aliases: true
    default: false
    }
  }

  /// Whether a whole unit may be missing where this could not be read.
  public var isPartOfUnitList: Bool {
    switch self {
    case .unitList, .unit, .otherUnitList, .everything: true
    default: false
    }
  }

  /// Whether any device may be missing where this could not be read.
  public var isPartOfDevices: Bool { self == .device || isPartOfPCITree }

  /// Whether it may be missing which domain a device or a PASID is attached to where this could not be
  /// read.
  public var isPartOfAttachments: Bool {
    switch self {
    case .deviceInfo, .deviceInfoList, .pasidArray: true
    case .group, .groupSet, .groupList, .devicesOfGroup, .groupDevice: true
    case .domain, .genericDomain, .unitsOfDomain, .unitOfDomain: true
    default: false
    }
  }

  /// Whether the state of an allocated range may be wrong where this could not be read.
  public var isPartOfAllocators: Bool {
    switch self {
    case .allocator, .allocatorTree, .allocation, .caches, .depot, .cacheOfCPU, .flushQueue,
      .flushQueueOfCPU, .deferredFlush, .possibleCPUs:
      true
    default: false
    }
  }

  /// Whether a region that firmware reserves, or whose devices have it, may be missing where this could
  /// not be read.
  public var isPartOfFirmwareRegions: Bool {
    switch self {
    case .reservedRegions, .reservedRegionList, .reservedRegion, .deviceOfScope, .everything: true
    default: isPartOfDevices
    }
  }

  /// Whether a range that is kept out of an allocator may be missing where this could not be read: a
  /// window of a host bridge, what older drivers take out, or a fixed region of a domain's devices.
  public var isPartOfReservedRanges: Bool {
    switch self {
    case .hostBridgeWindows, .reservedTemplate: true
    default: isPartOfFirmwareRegions || isPartOfAttachments
    }
  }

  /// Whether the text goes on with a number or a name: `devices of bus 3`.
  public var hasNumber: Bool {
    switch self {
    case .deviceScope, .devicesOfBus, .childrenOfBus, .cacheOfCPU, .flushQueueOfCPU, .otherUnit:
      true
    default: false
    }
  }
}
