// SPDX-License-Identifier: Apache-2.0

import KernelTypes
public import Memory

/// What a live update hands over, in the layouts of the series that brought it.
///
/// All structures are packed in C; the sizes below are what that gives on x86_64.
extension RemappingKernel {
  public enum LiveUpdateForm: String, Sendable, CaseIterable {
    /// Compatible string `iommu-liveupdate-v1`, no version, `sign_extend` a bit-field.
    ///
    /// Source: include/linux/kho/abi/iommu.h, series "iommu: Add live update state preservation",
    /// version 3 of 15 June 2026.
    case v1 = "iommu-liveupdate-v1"
    /// Compatible string `iommu-liveupdate` and a version; owner tokens of devices; a mark of what
    /// was restored.
    ///
    /// Source: the same header of the series' successor.
    case versioned = "iommu-liveupdate"
  }

  /// Declares the types and the static `iommu_flb`, with nothing handed over.
  @discardableResult
  public func defineLiveUpdate(_ form: LiveUpdateForm) -> FixtureObject {
    let types = kernel.types
    let isVersioned = form == .versioned
    types.define("iommu_hdr_ser", "u32 ref_count", "u32 flags")
    types.define("iommu_array_hdr_ser", "u64 next_array_phys", "u64 nr_objects")
    types.define(
      "iommu_domain_ser", "iommu_hdr_ser hdr", "u64 top_table_phys", "u64 top_level", "u32 vasz",
      isVersioned ? "u8 sign_extend" : "u32 sign_extend:1",
      isVersioned ? "void *restored_domain @ 32" : "void *restored_domain @ 29")
    pack("iommu_domain_ser", isVersioned ? 40 : 37)
    types.define("iommu_dev_map_ser", "u64 attachment_id", "u64 domain_phys", "u64 iommu_phys")
    types.define(
      "iommu_device_intel_ser", isVersioned ? "u8 restored" : nil, "u64 pasid_table",
      "u64 max_pasid")
    types.define(
      "iommu_device_ser", "iommu_hdr_ser hdr", "u32 devid", "u32 pci_domain_nr",
      isVersioned ? "u64 dma_owner_token" : nil, "iommu_dev_map_ser domain_iommu_ser",
      "iommu_device_intel_ser intel")
    pack("iommu_device_ser", isVersioned ? 72 : 56)
    types.define(
      "iommu_intel_ser", "u8 restored", "u64 phys_addr", "u64 root_table",
      "u64 context_tables_bitmap[8]")
    types.define(
      "iommu_hw_ser", "iommu_hdr_ser hdr", "u64 token", "u64 type", "iommu_intel_ser intel")
    pack("iommu_hw_ser", 112)
    for (array, element) in Self.arrays {
      types.define(array, "iommu_array_hdr_ser hdr", "\(element) objects[]")
    }
    types.define(
      "iommu_flb_ser", isVersioned ? "u64 version" : nil, "u64 iommu_array_phys",
      "u64 iommu_domain_array_phys", "u64 device_array_phys")
    types.define(
      "luo_flb_private_state", "long count", "u64 data", "void *obj", "ulong lock[4]",
      "bool finished", "bool retrieved")
    types.define(
      "luo_flb_private", "list_head list", "luo_flb_private_state outgoing",
      "luo_flb_private_state incoming", "int users", "bool initialized")
    types.define("liveupdate_flb", "void *ops", "char compatible[48]", "luo_flb_private private")
    let flb = kernel.make("liveupdate_flb")
    flb.setText("compatible", form.rawValue)
    kernel.symbol("iommu_flb", flb.address)
    return flb
  }

  private static let arrays = [
    ("iommu_hw_array_ser", "iommu_hw_ser"), ("iommu_domain_array_ser", "iommu_domain_ser"),
    ("iommu_device_array_ser", "iommu_device_ser"),
  ]

  /// Gives a structure the size that packing leaves it.
  private func pack(_ name: String, _ byteCount: Int) {
    guard let layout = try? kernel.types.structure(named: name) else { return }
    kernel.types.add(
      StructLayout(name: name, byteCount: byteCount, members: layout.members), alignment: 1)
  }

  /// A chain of pages with `count` objects, `perPage` on each; the objects are all zeros.
  public func makeChain(
    of element: String, _ count: Int, perPage: Int
  ) -> (first: PhysicalAddress, pages: [FixtureObject], objects: [FixtureObject]) {
    guard let array = Self.arrays.first(where: { $0.1 == element })?.0 else {
      preconditionFailure("no chain of \(element)")
    }
    let pages = (0..<max(1, (count + perPage - 1) / perPage)).map { _ in
      kernel.object(array, at: kernel.allocatePage())
    }
    var objects: [FixtureObject] = []
    for (index, page) in pages.enumerated() {
      let here = min(perPage, count - index * perPage)
      page["hdr.nr_objects"] = UInt64(here)
      if index + 1 < pages.count {
        page["hdr.next_array_phys"] = kernel.physical(pages[index + 1].address).rawValue
      }
      for number in 0..<here {
        let size = kernel.make(element).byteCount
        objects.append(
          kernel.object(
            element, at: KernelAddress(page.address(of: "objects").rawValue + UInt64(number * size))
          ))
      }
    }
    return (kernel.physical(pages[0].address), pages, objects)
  }

  /// Where an object lies, as chains name it.
  public func place(_ object: FixtureObject) -> UInt64 {
    kernel.physical(object.address).rawValue
  }

  /// Hands over chains in one direction, `incoming` or `outgoing`.
  @discardableResult
  public func handOver(
    _ direction: String, of flb: FixtureObject, units: PhysicalAddress, domains: PhysicalAddress,
    devices: PhysicalAddress
  ) -> FixtureObject {
    let state = kernel.make(
      "iommu_flb_ser",
      [
        "iommu_array_phys": units.rawValue, "iommu_domain_array_phys": domains.rawValue,
        "device_array_phys": devices.rawValue,
      ])
    state.offer(["version": 1])
    flb["private.\(direction).data"] = place(state)
    flb["private.\(direction).count"] = 1
    return state
  }
}
