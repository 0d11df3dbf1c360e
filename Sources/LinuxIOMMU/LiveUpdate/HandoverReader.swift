// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory
internal import RemappingState

/// Reads what a live update hands over, where the kernel's types know it.
///
/// A static `struct liveupdate_flb` named `iommu_flb` holds the physical address of a
/// `struct iommu_flb_ser` for each direction. From there three chains of pages lead on, each a header
/// with the next page's physical address and a count, and packed objects behind it. The chains are
/// bounded like any list: a page met again, a count that no page can hold, and more pages than the
/// limit end a chain and are noted.
///
/// Source: drivers/iommu/liveupdate.c and include/linux/kho/abi/iommu.h of the series "iommu: Add live
/// update state preservation" (version 3 of 15 June 2026, and its successor, which has a version in
/// place of the `-v1` of the compatible string); include/linux/liveupdate.h, `struct luo_flb_private`.
struct HandoverReader {
  let image: KernelImage
  let log: ProblemLog

  /// Pages of one chain; a machine with more has 17,000 preserved devices.
  private static let pageLimit = 1024
  /// `IOMMU_SER_FLAG_DELETED`
  private static let deleted: UInt64 = 1
  /// `IOMMU_INTEL`
  private static let intel: UInt64 = 1

  /// What came in and what is to go out; neither where nobody prepared anything.
  func handovers() -> [Handover] {
    log.attempt(.handover) { () throws(KernelError) -> [Handover] in
      guard let place = image.symbol("iommu_flb"),
        try image.has("iommu_flb_ser", "iommu_array_phys"),
        try image.has("liveupdate_flb", "private.outgoing.data")
      else { return [] }
      let object = try image.object("liveupdate_flb", at: place)
      var handovers: [Handover] = []
      for stage in Handover.Stage.allCases {
        let data = try object.unsigned("private.\(stage.rawValue).data")
        guard data != 0 else { continue }
        let handover = log.attempt(.handover) { () throws(KernelError) in
          try self.handover(PhysicalAddress(data), stage, object)
        }
        if let handover { handovers.append(handover) }
      }
      return handovers
    } ?? []
  }

  private func handover(
    _ address: PhysicalAddress, _ stage: Handover.Stage, _ flb: KernelObject
  ) throws(KernelError) -> Handover {
    let object = try image.object("iommu_flb_ser", at: try virtual(address))
    var handover = Handover(stage: stage, address: address)
    handover.compatible =
      log.attempt(.handover) { () throws(KernelError) in
        try flb.string("compatible")
      } ?? nil
    if try object.has("version") { handover.version = try object.unsigned("version") }
    handover.units = chain(
      try object.unsigned("iommu_array_phys"), "iommu_hw_array_ser", "iommu_hw_ser",
      .handoverUnits
    ) { (object, place) throws(KernelError) in
      // Units of other vendors have a member of their own there.
      try object.unsigned("type") == Self.intel ? try unit(object, place) : nil
    }
    handover.domains = chain(
      try object.unsigned("iommu_domain_array_phys"), "iommu_domain_array_ser",
      "iommu_domain_ser", .handoverDomains
    ) { (object, place) throws(KernelError) in try domain(object, place) }
    handover.devices = chain(
      try object.unsigned("device_array_phys"), "iommu_device_array_ser", "iommu_device_ser",
      .handoverDevices
    ) { (object, place) throws(KernelError) in try device(object, place) }
    return handover
  }

  // MARK: Objects

  private func unit(
    _ object: KernelObject, _ place: PhysicalAddress
  ) throws(KernelError) -> Handover.Unit {
    var halves: [Int] = []
    // 512 bits, one for each half of the root table.
    let count = min(try object.arrayCount("intel.context_tables_bitmap"), 8)
    for index in 0..<count {
      let word = try object.element("intel.context_tables_bitmap", index)
      halves += (0..<64).filter { word[bit: $0] }.map { index * 64 + $0 }
    }
    return Handover.Unit(
      address: place, unit: nil,
      registerBase: PhysicalAddress(try object.unsigned("intel.phys_addr")),
      rootTable: PhysicalAddress(try object.unsigned("intel.root_table")), contextTables: halves,
      presentTables: nil)
  }

  private func domain(
    _ object: KernelObject, _ place: PhysicalAddress
  ) throws(KernelError) -> Handover.Domain {
    Handover.Domain(
      address: place, table: PhysicalAddress(try object.unsigned("top_table_phys")),
      levels: Int(clamping: min(try object.unsigned("top_level"), 63)) + 1,
      addressSize: Int(clamping: try object.unsigned("vasz")),
      signExtended: try object.unsigned("sign_extend") != 0)
  }

  private func device(
    _ object: KernelObject, _ place: PhysicalAddress
  ) throws(KernelError) -> Handover.Device {
    let id = try object.unsigned("devid")
    let function = PCIFunction(
      segment: UInt32(truncatingIfNeeded: try object.unsigned("pci_domain_nr")),
      bus: UInt8(truncatingIfNeeded: id >> 8), devfn: UInt8(truncatingIfNeeded: id))
    let table =
      try object.has("intel.pasid_table") ? try object.unsigned("intel.pasid_table") : 0
    return Handover.Device(
      address: place, device: .pci(function),
      domainID: UInt32(
        truncatingIfNeeded: try object.unsigned("domain_iommu_ser.attachment_id")),
      domain: PhysicalAddress(try object.unsigned("domain_iommu_ser.domain_phys")),
      unit: PhysicalAddress(try object.unsigned("domain_iommu_ser.iommu_phys")),
      pasidTable: table == 0 ? nil : PhysicalAddress(table),
      pasidBound: table == 0 ? nil : try object.unsigned("intel.max_pasid"))
  }

  // MARK: Chains

  private func virtual(_ address: PhysicalAddress) throws(KernelError) -> KernelAddress {
    guard let place = image.reader.space.directMapBase.advanced(by: address.rawValue),
      address.rawValue < image.reader.space.directMapSize
    else {
      throw KernelError(.malformed("\(address) is beyond physical memory"))
    }
    return place
  }

  /// The objects of a chain that are not deleted, until the first obstacle.
  private func chain<T>(
    _ first: UInt64, _ array: String, _ element: String, _ structure: KernelStructure,
    _ read: (KernelObject, PhysicalAddress) throws(KernelError) -> T?
  ) -> [T] {
    var elements: [T] = []
    var next = first
    var seen: Set<UInt64> = []
    while next != 0 {
      let page = next
      let isOver = log.attempt(structure) { () throws(KernelError) -> Bool in
        guard seen.insert(page).inserted else {
          throw KernelError(.malformed("the chain leads back to \(page.hexadecimal)"))
        }
        guard seen.count <= Self.pageLimit else {
          throw KernelError(.malformed("more than \(Self.pageLimit) pages"))
        }
        let object = try image.object(array, at: try virtual(PhysicalAddress(page)))
        let layout = try image.requiredStructure(element)
        let start = try object.address(of: "objects")
        let offset = start.rawValue &- object.address.rawValue
        guard layout.byteCount > 0, offset < UInt64(Page.size) else {
          throw KernelError(at: object.address, .malformed("struct \(array) has no room"))
        }
        let room = (Page.size - Int(offset)) / layout.byteCount
        let count = try object.count("hdr.nr_objects", limit: room)
        try image.spend(count + 1, at: object.address)
        next = try object.unsigned("hdr.next_array_phys")
        for index in 0..<count {
          let distance = offset + UInt64(index * layout.byteCount)
          guard let place = object.address.advanced(by: distance) else { return true }
          let value = log.attempt(structure) { () throws(KernelError) -> T? in
            let object = KernelObject(image, layout, at: place)
            guard try object.unsigned("hdr.flags") & Self.deleted == 0 else { return nil }
            return try read(object, PhysicalAddress(page &+ distance))
          }
          if let value, let value { elements.append(value) }
        }
        return false
      }
      if isOver != false { break }
    }
    return elements
  }
}
