/* SPDX-License-Identifier: Apache-2.0 */
/* The structures that the analysis asks for; see README.md for how this becomes 5.10-types.debug. */
#include "vmlinux.h"
#define KEEP(type) struct type *keep_##type;
KEEP(dmar_drhd_unit) KEEP(dmar_rmrr_unit) KEEP(dmar_atsr_unit) KEEP(dmar_dev_scope) KEEP(intel_iommu) KEEP(dmar_domain) KEEP(device_domain_info) KEEP(pasid_table)
KEEP(iommu_domain) KEEP(iommu_group) KEEP(group_device) KEEP(iommu_device) KEEP(dev_iommu) KEEP(device) KEEP(device_driver) KEEP(pci_dev) KEEP(pci_bus) KEEP(pci_sysdata) KEEP(pci_host_bridge) KEEP(resource_entry) KEEP(resource)
KEEP(iova_domain) KEEP(iova) KEEP(iova_rcache) KEEP(iova_magazine) KEEP(iova_cpu_rcache) KEEP(iova_fq) KEEP(iova_fq_entry) KEEP(iommu_dma_cookie)
KEEP(ir_table) KEEP(q_inval) KEEP(qi_desc) KEEP(root_entry) KEEP(context_entry) KEEP(cpumask) KEEP(kset) KEEP(xarray) KEEP(xa_node) KEEP(printk_ringbuffer) KEEP(prb_desc) KEEP(printk_info) KEEP(mm_struct) KEEP(list_head) KEEP(idr) KEEP(ida)
