// SPDX-License-Identifier: Apache-2.0

extension RemappingKernel {
  /// Declares the variant's structures, with the members that matter.
  func defineTypes() {
    defineDevices()
    defineAllocators()
    defineDomains()
    defineUnits()
  }

  private func defineDevices() {
    let types = kernel.types
    let variant = variant
    types.define("kobject", "char *name", "list_head entry", "kobject *parent")
    types.define("kset", "list_head list", "kobject kobj")
    types.define("device_driver", "char *name")
    types.define("dev_archdata", "void *dma_ops", variant.infoInArchdata ? "void *iommu" : nil)
    if variant.membersAreNamedDevices {
      types.define("iommu_device", "list_head list", "device *dev", "char *name")
    } else {
      types.define("group_device", "list_head list", "device *dev", "char *name")
    }
    types.define(
      "iommu_ops", "void *capable", "iommu_domain *identity_domain", "iommu_domain *blocked_domain")
    if !variant.infoInArchdata {
      types.define(
        "dev_iommu", "ulong lock", "iommu_device *iommu_dev", "void *priv", "u32 max_pasids",
        "u32 attach_deferred:1")
    }
    types.define(
      "device", "kobject kobj", "device *parent", "char *init_name", "device_driver *driver",
      "dev_archdata archdata", "iommu_group *iommu_group",
      variant.infoInArchdata ? nil : "dev_iommu *iommu")
    if !variant.membersAreNamedDevices {
      types.define(
        "iommu_device", "list_head list", "void *ops",
        variant.embedsUnitDevice ? "device dev" : "device *dev")
    }
    types.define(
      "pci_dev", "list_head bus_list", "pci_bus *bus", "pci_bus *subordinate", "u32 devfn",
      "u16 vendor", "u16 device", "u32 class", "u8 pcie_cap", "u16 pcie_flags_reg",
      variant.namesFunctions || variant.ids == .single
        ? "u8 dma_alias_devfn" : "ulong *dma_alias_mask",
      "device dev", "u16 dev_flags")
    types.define(
      "pci_bus", "list_head node", "pci_bus *parent", "list_head children", "list_head devices",
      "pci_dev *self", "void *sysdata", "u8 number", "device *bridge")
    types.define("pci_sysdata", "int domain", "int node", "pci_dev *vmd_dev")
    types.define("pci_host_bridge", "device dev", "list_head windows")
    types.define("resource", "u64 start", "u64 end", "char *name", "ulong flags")
    if variant.namesFunctions {
      types.define("pci_host_bridge_window", "list_head list", "resource *res", "u64 offset")
    } else {
      types.define("resource_entry", "list_head node", "resource *res", "u64 offset")
    }
    if variant.pasids == .handle || variant.pasids == .tagged {
      types.define("iommu_attach_handle", "iommu_domain *domain")
    }
    types.define(
      "iommu_group", "kobject kobj", "list_head devices",
      variant.pasids == .none ? nil : "xarray pasid_array", "int id",
      variant.embedsDomain ? "iommu_domain *default_domain" : nil,
      variant.infoInArchdata ? nil : "iommu_domain *blocking_domain", "iommu_domain *domain")
    types.define("pasid_table", "void *table", "int max_pasid")
    types.define(
      "device_domain_info", "list_head link", variant.hasDeviceList ? "list_head global" : nil,
      variant.hasInfoSegment ? "u32 segment" : nil, "u8 bus", "u8 devfn",
      variant.namesFunctions ? "pci_dev *dev" : "device *dev",
      "intel_iommu *iommu", "dmar_domain *domain",
      variant.namesFunctions ? nil : "pasid_table *pasid_table")
  }

  private func defineAllocators() {
    let types = kernel.types
    let variant = variant
    types.define("iova", "rb_node node", "ulong pfn_hi", "ulong pfn_lo")
    if variant.depot != .none {
      types.define(
        "iova_magazine", "ulong size", variant.depot == .list ? "iova_magazine *next @ size" : nil,
        variant.cachesBehindPointer ? "ulong pfns[127]" : "ulong pfns[128]")
      types.define(
        "iova_cpu_rcache", "u32 lock", "iova_magazine *loaded", "iova_magazine *prev")
      types.define(
        "iova_rcache", "u32 lock", variant.depot == .list ? "u32 depot_size" : "ulong depot_size",
        variant.depot == .list ? "iova_magazine *depot" : "iova_magazine *depot[32]",
        "iova_cpu_rcache *cpu_rcaches")
    }
    let isModern = variant.queue != .table && variant.queue != .perCPUTable
    if isModern {
      types.define(
        "iova_fq_entry", "ulong iova_pfn", "ulong pages", "list_head freelist", "u64 counter")
      types.define(
        "iova_fq",
        variant.queue == .sized ? nil : "iova_fq_entry entries[256]", "u32 lock", "u32 head",
        "u32 tail", variant.queue == .sized ? "u32 mod_mask" : nil,
        variant.queue == .sized ? "iova_fq_entry entries[]" : nil)
    }
    types.define(
      "iova_domain", "u32 iova_rbtree_lock", "rb_root rbroot", "rb_node *cached32_node",
      variant.namesFunctions ? nil : "ulong granule",
      variant.namesFunctions ? nil : "ulong start_pfn", "ulong dma_32bit_pfn",
      isModern ? "iova anchor" : nil,
      variant.depot == .none
        ? nil : variant.cachesBehindPointer ? "iova_rcache *rcaches" : "iova_rcache rcaches[6]",
      variant.queue == .allocator ? "iova_fq *fq" : nil,
      variant.queue == .allocator ? "atomic64_t fq_flush_start_cnt" : nil,
      variant.queue == .allocator ? "atomic64_t fq_flush_finish_cnt" : nil)
    guard variant.allocatorInCookie else { return }
    types.define("iommu_dma_options", "u32 qt", "ulong fq_size", "u32 fq_timeout")
    let inCookie = variant.queue != .allocator
    types.define(
      "iommu_dma_cookie", variant.hasCookieType ? nil : "u32 type", "iova_domain iovad",
      variant.queue == .cookie ? "iova_fq *fq" : nil,
      variant.queue == .sized ? "iova_fq *single_fq" : nil,
      variant.queue == .sized ? "iova_fq *percpu_fq @ single_fq" : nil,
      inCookie ? "atomic64_t fq_flush_start_cnt" : nil,
      inCookie ? "atomic64_t fq_flush_finish_cnt" : nil, "iommu_domain *fq_domain",
      variant.queue == .sized ? "iommu_dma_options options" : nil)
  }

  private func defineDomains() {
    let types = kernel.types
    let variant = variant
    types.define(
      "iommu_domain_geometry", "u64 aperture_start", "u64 aperture_end", "bool force_aperture")
    types.define(
      "iommu_domain", variant.embedsDomain ? "u32 type" : "void *priv",
      variant.hasCookieType ? "u32 cookie_type" : nil,
      variant.hasCookieType ? "void *iopf_handler" : nil, "void *ops",
      "iommu_domain_geometry geometry",
      variant.allocatorInCookie ? "iommu_dma_cookie *iova_cookie" : nil,
      variant.infoInArchdata ? nil : "mm_struct *mm")
    types.define("mm_struct", "ulong mmap_base", "ulong *pgd")
    types.define("iommu_domain_info", "intel_iommu *iommu", "u32 refcnt", "u16 did")
    let isGeneric = variant.top == .generic
    if isGeneric {
      types.define(
        "pt_common", "u64 top_of_table", "u8 max_oasz_lg2", "u8 max_vasz_lg2", "u32 features")
      types.define("pt_vtdss", "pt_common common")
      types.define("pt_x86_64", "pt_common common")
      types.define("pt_iommu", "iommu_domain domain", "void *ops", "void *driver_ops", "int nid")
      types.define("pt_iommu_vtdss", "pt_iommu iommu", "pt_vtdss vtdss_pt")
      types.define("pt_iommu_x86_64", "pt_iommu iommu", "pt_x86_64 x86_64_pt")
    }
    types.define(
      "dmar_domain", isGeneric ? "iommu_domain domain @ 0" : "int nid",
      isGeneric ? "pt_iommu iommu @ 0" : nil, isGeneric ? "pt_iommu_x86_64 fspt @ 0" : nil,
      isGeneric ? "pt_iommu_vtdss sspt @ 0" : nil, variant.ids == .single ? "int id" : nil,
      variant.ids == .single ? "ulong iommu_bmp[2]" : nil,
      variant.ids == .array ? "u32 iommu_refcnt[128]" : nil,
      variant.ids == .array ? "u16 iommu_did[128]" : nil,
      variant.ids == .xarray ? "xarray iommu_array" : nil, "list_head devices",
      variant.allocatorInDomain ? "iova_domain iovad" : nil, isGeneric ? nil : "void *pgd",
      isGeneric ? nil : "int gaw", isGeneric ? nil : "int agaw",
      variant.top == .pgdWithStage ? "u8 use_first_level:1" : nil,
      variant.top == .pgd ? "int flags" : nil,
      variant.pasids == .handle || variant.pasids == .tagged ? "list_head cache_tags" : nil,
      variant.pasids == .none ? nil : "dmar_domain *s2_domain",
      isGeneric || !variant.embedsDomain ? nil : "iommu_domain domain")
    let mark = 250
    switch variant.queue {
    case .table:
      types.define(
        "deferred_flush_tables", "int next", "iova *iova[\(mark)]", "dmar_domain *domain[\(mark)]")
    case .perCPUTable:
      types.define(
        "deferred_flush_entry", "ulong iova_pfn", "ulong nrpages", "dmar_domain *domain",
        "void *freelist")
      types.define("deferred_flush_table", "int next", "deferred_flush_entry entries[\(mark)]")
      types.define(
        "deferred_flush_data", "u32 lock", "int timer_on", "long size",
        "deferred_flush_table *tables")
    default: break
    }
  }

  private func defineUnits() {
    let types = kernel.types
    let variant = variant
    types.define("dmar_dev_scope", "device *dev", "u8 bus", "u8 devfn")
    let scope = variant.namesFunctions ? "pci_dev **devices" : "dmar_dev_scope *devices"
    if variant.namesFunctions { types.remove("dmar_dev_scope") }
    types.define(
      "dmar_drhd_unit", "list_head list", "void *hdr", "u64 reg_base_addr", scope,
      "int devices_cnt", "u16 segment", "u8 ignored:1", "u8 include_all:1",
      "u8 gfx_dedicated:1", "intel_iommu *iommu")
    types.define(
      "dmar_rmrr_unit", "list_head list", "void *hdr", "u64 base_address", "u64 end_address",
      scope, "int devices_cnt")
    types.define(
      "dmar_atsr_unit", "list_head list", "void *hdr", scope, "int devices_cnt",
      "u8 include_all:1")
    types.define(
      "dmar_satc_unit", "list_head list", "void *hdr", scope, "intel_iommu *iommu",
      "int devices_cnt", "u8 atc_required:1")
    types.define(
      "q_inval", "u32 q_lock", "void *desc", "int *desc_status", "int free_head", "int free_tail",
      "int free_cnt")
    if variant.hasWideDescriptors {
      types.define("qi_desc", "u64 qw0", "u64 qw1", "u64 qw2", "u64 qw3")
    } else {
      types.define("qi_desc", "u64 low", "u64 high")
    }
    types.define("ir_table", "void *base", "ulong *bitmap")
    types.define(
      "intel_iommu", "void *reg", "u64 reg_phys", "u64 reg_size", "u64 cap", "u64 ecap",
      "u32 gcmd", "u32 register_lock", "int seq_id", "int agaw", "int msagaw", "u16 segment",
      "char name[13]", variant.hasIDA ? "ida domain_ida" : "ulong *domain_ids",
      variant.domainTable == .flat
        ? "dmar_domain **domains"
        : variant.domainTable == .split ? "dmar_domain ***domains" : nil,
      variant.hasCopiedTables ? "ulong *copied_tables" : nil, "void *root_entry", "q_inval *qi",
      "ir_table *ir_table",
      variant.membersAreNamedDevices ? "device *iommu_dev" : "iommu_device iommu", "int node",
      variant.hasFlags ? "u32 flags" : nil)
  }
}
