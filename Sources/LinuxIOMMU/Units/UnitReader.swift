// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import Memory
internal import RemappingState

/// Reads the list of remapping units.
struct UnitReader {
  let image: KernelImage
  let log: ProblemLog
  let names: DeviceNames

  /// Every unit of `dmar_drhd_units`, in the list's order, up to `DMAR_UNITS_SUPPORTED` of them.
  ///
  /// - Throws: where the list's head cannot be found: then there is nothing to report on.
  func units() throws(KernelError) -> [LinuxUnit] {
    let head = try image.requiredSymbol("dmar_drhd_units")
    let drhds = log.take(
      image.list(at: head, of: "dmar_drhd_unit", linkedBy: "list", limit: 1024),
      .unitList)
    var seen: Set<KernelAddress> = []
    return drhds.compactMap { drhd in
      log.attempt(.unit) { () throws(KernelError) in
        // Each unit has an `intel_iommu` of its own.
        let iommu = try drhd.pointer("iommu")
        guard iommu.rawValue == 0 || seen.insert(iommu).inserted else {
          throw KernelError(at: drhd.address, .malformed("two units share one intel_iommu"))
        }
        return try unit(drhd)
      }
    }
  }

  private func unit(_ drhd: KernelObject) throws(KernelError) -> LinuxUnit {
    let base = try drhd.unsigned("reg_base_addr")
    var unit = LinuxUnit(
      name: "drhd-" + String(base, radix: 16),
      segment: UInt32(truncatingIfNeeded: try drhd.unsigned("segment")),
      registerBase: PhysicalAddress(base), ignored: try drhd.unsigned("ignored") != 0,
      includeAll: try drhd.unsigned("include_all") != 0, scope: [], capability: 0,
      extendedCapability: 0, sequence: -1, tableMode: .legacy, copiedContexts: [])
    checkFirmwareStructure(of: drhd, unit)
    unit.graphicsOnly =
      try drhd.has("gfx_dedicated") ? try drhd.unsigned("gfx_dedicated") != 0 : nil
    unit.scope =
      log.attempt(.deviceScope, number: unit.name) { () throws(KernelError) in
        try names.scope(of: drhd)
      } ?? []
    let iommu: KernelObject
    do {
      guard let target = try drhd.target("iommu", as: "intel_iommu") else { return unit }
      iommu = target
      unit.kernelObject = iommu.address
      unit.capability = try iommu.unsigned("cap")
      unit.extendedCapability = try iommu.unsigned("ecap")
      unit.sequence = Int(truncatingIfNeeded: try iommu.signed("seq_id"))
      unit.name = try iommu.string("name").flatMap { $0.isEmpty ? nil : $0 } ?? unit.name
    } catch {
      log.note(error, .intelIOMMU, unit: unit.name)
      return unit
    }
    let name = unit.name
    unit.globalCommand = log.attempt(.globalCommand, unit: name) { () throws(KernelError) in
      UInt32(truncatingIfNeeded: try iommu.unsigned("gcmd"))
    }
    unit.agaw = log.attempt(.addressWidth, unit: name) { () throws(KernelError) in
      Int(truncatingIfNeeded: try iommu.signed("agaw"))
    }
    unit.rootTable =
      log.attempt(.rootEntry, unit: name) { () throws(KernelError) -> PhysicalAddress? in
        let root = try iommu.pointer("root_entry")
        return root.rawValue == 0 ? nil : try image.reader.physical(root).pageBase
      } ?? nil
    unit.tableMode =
      log.attempt(.tableMode, unit: name) { () throws(KernelError) in
        try tableMode(extendedCapability: unit.extendedCapability)
      } ?? .legacy
    unit.domainIDs = domainIDs(of: iommu, capability: unit.capability, name: name)
    unit.reservedDomainIDs =
      log.attempt(.domainIDs, unit: name) { () throws(KernelError) in
        try reservedDomainIDs(of: iommu)
      } ?? []
    unit.translationPreEnabled =
      log.attempt(.flags, unit: name) { () throws(KernelError) -> Bool? in
        try iommu.has("flags") ? try iommu.unsigned("flags")[bit: 0] : nil
      } ?? nil
    unit.copiedContexts =
      log.attempt(.copiedTables, unit: name) { () throws(KernelError) in
        try copiedContexts(of: iommu)
      } ?? []
    unit.interruptRemapping =
      log.attempt(.interruptRemapping, unit: name) { () throws(KernelError) in
        try interruptRemapping(of: iommu, name: name)
      } ?? nil
    unit.invalidationQueue =
      log.attempt(.invalidation, unit: name) { () throws(KernelError) in
        try invalidationQueue(
          of: iommu, extendedCapability: unit.extendedCapability, name: name)
      } ?? nil
    return unit
  }

  /// Holds the kernel's copy of the firmware's structure against what was made of it at boot.
  ///
  /// Since v3.14 `hdr` points to a copy right behind `struct dmar_drhd_unit`; before, it points into
  /// the ACPI table, which a dump seldom holds.
  ///
  /// Source: drivers/iommu/intel/dmar.c, `dmar_parse_one_drhd`; VT-d specification, section 8.3.
  private func checkFirmwareStructure(of drhd: KernelObject, _ unit: LinuxUnit) {
    guard let header = try? drhd.pointer("hdr"), header.rawValue != 0,
      let bytes = try? image.reader.bytes(at: header, count: 16),
      let type = try? bytes.littleEndian(at: 0) as UInt16,
      let segment = try? bytes.littleEndian(at: 6) as UInt16,
      let base = try? bytes.littleEndian(at: 8) as UInt64
    else { return }
    guard type != 0 || UInt32(segment) != unit.segment || base != unit.registerBase.rawValue
    else { return }
    log.note(
      KernelError(
        at: header,
        .malformed(
          bytes.allSatisfy { $0 == 0 }
            ? "the firmware's structure is all zeros"
            : "the firmware's structure is of type \(type), segment \(segment), registers at "
              + "\(base.hexadecimal)")),
      .firmwareUnit, unit: unit.name)
  }

  /// The mode that the driver chose: what it wants and what the unit can do.
  ///
  /// Extended mode existed from Linux commit 03ecc32c5274 ("iommu/vt-d: support extended root and
  /// context entries") (in v4.2) to v4.20; its later conditions came with v4.4.
  private func tableMode(extendedCapability ecap: UInt64) throws(KernelError) -> TableMode {
    if let scalable: Int32 = try image.variable("intel_iommu_sm"), scalable != 0, ecap[bit: 43] {
      return .scalable
    }
    if let extended: Int32 = try image.variable("intel_iommu_ecs"), extended != 0, ecap[bit: 24] {
      let oldPASID: Int32? = try image.variable("intel_iommu_pasid28")
      // Without the later switch, the driver asked for the new PASID bit.
      let usable = oldPASID.map { $0 != 0 || !ecap[bit: 28] } ?? ecap[bit: 40]
      if usable { return .extended }
    }
    return .legacy
  }

  // MARK: Domain-ids

  private func domainIDs(of iommu: KernelObject, capability: UInt64, name: String) -> [UInt32]? {
    log.attempt(.domainIDs, unit: name) { () throws(KernelError) -> [UInt32]? in
      if try iommu.has("domain_ida") {
        let walk = image.ida(at: try iommu.address(of: "domain_ida"), limit: 65536)
        let ids = log.take(walk, .domainIDAllocator, unit: name)
        // Half a list would call ids free that are taken.
        return walk.problem == nil ? ids : nil
      }
      // A unit that the driver never set up, or gave back, has none.
      // Source: drivers/iommu/intel/iommu.c, `iommu_init_domains` and `free_dmar_iommu`.
      let bitmap = try iommu.pointer("domain_ids")
      guard bitmap.rawValue != 0 else { return [] }
      let count = 1 << (4 + 2 * Int(capability & 7))
      return try setBits(at: bitmap, count: count).map { UInt32($0) }
    } ?? nil
  }

  /// Ids that the driver keeps out of its allocator by a constant.
  ///
  /// A bitmap has their bits set. An IDA gives ids from IDA_START_DID, 2, on: 0 is no id, and 1 is
  /// FLPT_DEFAULT_DID, for pass-through and processes.
  ///
  /// Source: drivers/iommu/intel/iommu.h and `domain_attach_iommu`, since Linux v6.15.
  private func reservedDomainIDs(of iommu: KernelObject) throws(KernelError) -> [UInt32] {
    try iommu.has("domain_ida") ? [0, 1] : []
  }

  private func copiedContexts(of iommu: KernelObject) throws(KernelError) -> [UInt16] {
    guard try iommu.has("copied_tables") else { return [] }
    let bitmap = try iommu.pointer("copied_tables")
    guard bitmap.rawValue != 0 else { return [] }
    return try setBits(at: bitmap, count: 65536).map { UInt16($0) }
  }

  private func setBits(at bitmap: KernelAddress, count: Int) throws(KernelError) -> [Int] {
    let bytes = try image.reader.bytesAssumingZero(at: bitmap, count: (count + 7) / 8)
    var bits: [Int] = []
    for (index, byte) in bytes.enumerated() where byte != 0 {
      for bit in 0..<8 where byte >> UInt8(bit) & 1 != 0 { bits.append(index * 8 + bit) }
    }
    return bits
  }

  // MARK: Interrupt remapping and queued invalidation

  private func interruptRemapping(
    of iommu: KernelObject, name: String
  ) throws(KernelError) -> LinuxInterruptRemapping? {
    guard try iommu.has("ir_table"), let table = try iommu.target("ir_table", as: "ir_table")
    else { return nil }
    // INTR_REMAP_TABLE_ENTRIES; the table's size is a constant of the driver.
    let count = 65536
    var result = LinuxInterruptRemapping(count: count)
    result.table = log.attempt(.interruptTable, unit: name) { () throws(KernelError) in
      try image.reader.physical(try table.pointer("base"))
    }
    // Only bounds what is impossible in an entry; an older extract does without it.
    result.x2APIC = ((try? image.variable("eim_mode", as: Int32.self)) ?? nil).map { $0 != 0 }
    if try table.has("bitmap") {
      result.bitmap = log.attempt(.interruptBitmap, unit: name) {
        () throws(KernelError) in
        let bitmap = try table.pointer("bitmap")
        guard bitmap.rawValue != 0 else { throw KernelError(at: table.address, .nullPointer) }
        return try image.reader.bytesAssumingZero(at: bitmap, count: count / 8)
      }
    }
    return result
  }

  private func invalidationQueue(
    of iommu: KernelObject, extendedCapability: UInt64, name: String
  ) throws(KernelError) -> LinuxInvalidationQueue? {
    guard let queue = try iommu.target("qi", as: "q_inval") else { return nil }
    // QI_LENGTH
    let count = 256
    // Descriptors grew to 256 bits where the unit has scalable mode, used or not. Since Linux
    // commit 5d308fc1ecf5 ("iommu/vt-d: Add 256-bit invalidation descriptor support") (in v5.0).
    let isWide = try image.has("qi_desc", "qw2") && extendedCapability[bit: 43]
    return LinuxInvalidationQueue(
      base: log.attempt(.invalidationQueue, unit: name) { () throws(KernelError) in
        try image.reader.physical(try queue.pointer("desc"))
      },
      count: count, descriptorSize: isWide ? 32 : 16,
      freeHead: Int(truncatingIfNeeded: try queue.signed("free_head")),
      freeTail: Int(truncatingIfNeeded: try queue.signed("free_tail")),
      status: log.attempt(.invalidationStatus, unit: name) { () throws(KernelError) in
        let bytes = try image.reader.bytesAssumingZero(
          at: try queue.pointer("desc_status"), count: count * 4)
        return (0..<count).map { (try? bytes.littleEndian(at: $0 * 4)) ?? 0 }
      },
      freeCount: (try? queue.signed("free_cnt")).map { Int(truncatingIfNeeded: $0) })
  }
}
