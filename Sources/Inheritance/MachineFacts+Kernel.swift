// SPDX-License-Identifier: Apache-2.0

public import Evidence
internal import KernelImage
internal import LinuxIOMMU
public import Memory

extension MachineFacts {
  /// Reads what a forecast of a dump needs beyond its state, with the devices that only the kernel's PCI tree
  /// knows.
  ///
  /// - Parameter kernel: that of the evidence.
  public init(reading kernel: KernelEvidence, of evidence: DumpEvidence) {
    self.init(reading: kernel, memory: evidence.memory)
    untranslatedFunctions = evidence.untranslatedFunctions
  }

  /// Reads from the crashed kernel what a forecast needs beyond the state: the crash kernel's memory,
  /// the kernel's text, the code that copies tables, and the bridges above each device.
  ///
  /// - Parameter memory: the memory that the kernel was read from.
  public init(reading kernel: KernelEvidence, memory: any PhysicalMemory) {
    let image = kernel.image
    var gaps: [String] = []
    func attempt<T>(_ what: String, _ body: () throws(KernelError) -> T) -> T? {
      do {
        return try body()
      } catch {
        gaps.append("\(what): \(error)")
        return nil
      }
    }
    var traits =
      attempt("the generation of the copying code") { () throws(KernelError) in
        CrashKernelTraits(
          hasFlags: try image.has("intel_iommu", "flags"),
          hasBitmap: try image.has("intel_iommu", "copied_tables"),
          hasIDA: try image.has("intel_iommu", "domain_ida"),
          hasMaximumID: try image.has("intel_iommu", "max_domain_id"))
      } ?? CrashKernelTraits(variant: .v2a, isAmbiguous: true)
    traits.clearsBeforeFlush = image.symbol("copied_context_tear_down") != nil
    self.init(memoryFrames: memory.memoryFrames, traits: traits)
    for (symbol, kind) in [
      ("crashk_res", MachineFacts.Reservation.Kind.main), ("crashk_low_res", .low),
    ] {
      guard let address = image.symbol(symbol) else {
        gaps.append("\(symbol): no such symbol; name the reservation with --crash-reservation")
        reservationsAreComplete = false
        continue
      }
      let range = attempt(symbol) { () throws(KernelError) in try image.resource(at: address) }
      if let range {
        if let range { reservations.append(.init(kind: kind, range: range)) }
      } else {
        reservationsAreComplete = false
      }
    }
    reservations +=
      (attempt("crashk_cma_ranges") { () throws(KernelError) in try image.cmaRanges() } ?? []).map {
        .init(kind: .cma, range: $0)
      }
    if let start = image.symbol("_stext"), let end = image.symbol("_etext"), start < end {
      kernelText =
        attempt("kernel text") { () throws(KernelError) -> ClosedRange<UInt64>? in
          let first = try image.reader.physical(start).rawValue
          guard let length = end.distance(from: start),
            let last = PhysicalAddress(first).advanced(by: length - 1)
          else { return nil }
          return first...last.rawValue
        } ?? nil
    }
    defaultsToIdentity =
      attempt("the default type of domains") { () throws(KernelError) in
        try image.defaultsToIdentity()
      } ?? nil
    // IOMMU_CMD_LINE_DMA_API is bit 0; drivers/iommu/iommu.c, `iommu_set_default_passthrough`.
    defaultIsFromCommandLine =
      attempt("iommu_cmd_line") { () throws(KernelError) -> UInt32? in
        try image.variable("iommu_cmd_line")
      }?.map { $0[bit: 0] }
    for device in kernel.structures.devices {
      guard let function = device.name.function else { continue }
      bridges[function] = device.bridges
      classCodes[function] = device.classCode
      drivers[function] = device.driver
      // PCI_BASE_CLASS_DISPLAY
      if device.classCode.map({ $0 >> 16 == 3 }) == true { displays.insert(function) }
    }
    knownRoads =
      attempt("the types of other roads") { () throws(KernelError) in try image.knownRoads() } ?? []
    // `iommu_domain.iopf_handler`: page requests of the domain go to it.
    for domain in kernel.structures.domains {
      guard let address = domain.iommuDomain else { continue }
      let handler = attempt("page requests of the domain at \(address)") {
        () throws(KernelError) -> UInt64 in
        guard try image.has("iommu_domain", "iopf_handler") else { return 0 }
        return try image.object("iommu_domain", at: address).pointer("iopf_handler").rawValue
      }
      if let handler, handler != 0 { pageRequestDomains.insert(domain.kernelObject) }
      let owner = attempt("the owner of the domain at \(address)") {
        () throws(KernelError) -> UInt64 in
        guard try image.has("iommu_domain", "cookie_type") else { return Self.iommufdCookie }
        return try image.object("iommu_domain", at: address).unsigned("cookie_type")
      }
      if let owner, owner != Self.iommufdCookie {
        domainsWithoutIOMMUFD.insert(domain.kernelObject)
      }
    }
    // Some units of graphics alone hang when they are switched off.
    // Source: drivers/iommu/intel/iommu.c, `iommu_disable_translation` and `quirk_igfx_skip_te_disable`.
    let skips =
      attempt("iommu_skip_te_disable") { () throws(KernelError) -> Int32? in
        try image.variable("iommu_skip_te_disable")
      } ?? nil
    if let skips, skips != 0 {
      // CAP.DRD and CAP.DWD: the unit drains requests.
      unitsKeptOn = Set(
        kernel.structures.units.filter {
          $0.graphicsOnly == true && ($0.capability[bit: 55] || $0.capability[bit: 54])
        }.map(\.name))
    }
    // The first versions of the series looked at no group, and had no version in what they hand over.
    refusesSharedGroups =
      attempt("the form of live updates") { () throws(KernelError) -> Bool in
        guard try image.structure("iommu_flb_ser") != nil else { return true }
        return try image.has("iommu_flb_ser", "version")
      } ?? true
    self.gaps = gaps
  }

  /// `IOMMU_COOKIE_IOMMUFD` of `enum iommu_domain_cookie_type`; include/linux/iommu.h since Linux v6.15.
  private static let iommufdCookie: UInt64 = 5

  /// What a kernel's types must know for a road that not every kernel has.
  ///
  /// A road without evidence is one that no type of any VT-d kernel is known to speak of: adoption in
  /// kdump is in arm-smmu-v3 alone (message cover.1779265413, 2026), where an option bit stands for it.
  static let evidenceOfRoads: [Policy: [(structure: String, member: String)]] = [
    .adopt: [],
    // include/linux/kho/abi/iommu.h of the series "iommu: Add live update state preservation".
    .liveUpdate: [("iommu_flb_ser", "iommu_array_phys"), ("iommu_hw_ser", "intel.root_table")],
  ]
}

extension KernelImage {
  /// Whether devices get the identity domain by default.
  ///
  /// `iommu_def_domain_type` holds the type of default domains, 0 before it is decided; before Linux
  /// v5.3 the Intel driver looked at `iommu_pass_through`.
  ///
  /// Source: drivers/iommu/iommu.c, `iommu_subsys_init`; arch/x86/kernel/pci-dma.c.
  fileprivate func defaultsToIdentity() throws(KernelError) -> Bool? {
    if let flag: Int32 = try variable("iommu_pass_through") { return flag != 0 }
    guard let type: UInt32 = try variable("iommu_def_domain_type"), type != 0 else { return nil }
    // IOMMU_DOMAIN_IDENTITY
    return type == 4
  }

  fileprivate func knownRoads() throws(KernelError) -> Set<Policy> {
    var roads: Set<Policy> = []
    for (road, evidence) in MachineFacts.evidenceOfRoads where !evidence.isEmpty {
      var isKnown = true
      for (structure, member) in evidence where isKnown {
        isKnown = try has(structure, member)
      }
      if isKnown { roads.insert(road) }
    }
    return roads
  }

  /// A `struct resource`; `nil` for one that is not set.
  fileprivate func resource(at address: KernelAddress) throws(KernelError) -> ClosedRange<UInt64>? {
    let resource = try object("resource", at: address)
    let start = try resource.unsigned("start")
    let end = try resource.unsigned("end")
    return end > start ? start...end : nil
  }

  /// Since Linux commit ab475510e042 ("kdump: implement reserve_crashkernel_cma") (in v6.17):
  /// an array of `struct range` with inclusive ends.
  fileprivate func cmaRanges() throws(KernelError) -> [ClosedRange<UInt64>] {
    guard let base = symbol("crashk_cma_ranges"),
      let count: UInt32 = try variable("crashk_cma_cnt")
    else { return [] }
    var ranges: [ClosedRange<UInt64>] = []
    // CRASHKERNEL_CMA_RANGES_MAX is 4.
    for index in 0..<UInt64(min(count, 64)) {
      guard let place = base.advanced(by: index * 16), let next = place.advanced(by: 8) else {
        break
      }
      let start: UInt64 = try reader.littleEndian(at: place)
      let end: UInt64 = try reader.littleEndian(at: next)
      if start < end { ranges.append(start...end) }
    }
    return ranges
  }
}
