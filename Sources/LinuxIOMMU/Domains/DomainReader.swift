// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory
internal import RemappingState

/// Reads `struct dmar_domain` in every form that it has had.
///
/// What differs between kernels is where the top of the page table lives, how domain-ids are kept
/// and where the IOVA tree hangs; each is decided once from the members that exist.
final class DomainReader {
  let image: KernelImage
  let log: ProblemLog
  /// `seq_id`s of the units, the keys of ids.
  let sequences: [Int]
  let allocators: AllocatorReader
  private(set) var domains: [KernelAddress: LinuxDomain] = [:]
  /// Addresses that turned out to hold no readable domain.
  private var unreadable: Set<KernelAddress> = []
  private let form: Form
  /// Whether what devices and groups are attached to is another driver's, and no `struct dmar_domain`.
  private let isForeign: Bool

  init(_ image: KernelImage, _ log: ProblemLog, sequences: [Int], isForeign: Bool) {
    self.image = image
    self.log = log
    self.sequences = sequences
    self.isForeign = isForeign
    form = Form(image, log)
    allocators = AllocatorReader(image, log)
  }

  /// How this kernel keeps a domain's facts.
  private struct Form {
    enum IDs {
      /// `iommu_array`: an XArray of `struct iommu_domain_info`, by `seq_id`.
      case xarray
      /// `iommu_did[seq_id]`, valid while `iommu_refcnt[seq_id]` is not 0.
      case array
      /// One `id` for every unit of a bitmap.
      case single
    }
    enum Top {
      /// `pgd` and `agaw`.
      case pgd
      /// The generic page table: first-stage and second-stage legs of one union.
      case generic
    }
    var ids: IDs
    var top: Top
    /// Domains whose `ops` are these have first-stage or second-stage tables. Since Linux v6.16.
    var firstStageOps: KernelAddress?
    var secondStageOps: KernelAddress?
    /// The driver's and other drivers' static domains; names are not unique.
    var identity: Set<KernelAddress>
    var blocking: Set<KernelAddress>
    /// `iommu_domain` is embedded as `domain`; otherwise it points back with `priv`.
    var isEmbedded: Bool
    var hasType: Bool
    /// Shared virtual addressing has a whole `dmar_domain`; a bare `iommu_domain` before.
    var embedsProcesses: Bool
    /// The static identity domain of kernels that have it as a whole `dmar_domain`.
    var staticIdentity: KernelAddress?

    init(_ image: KernelImage, _ log: ProblemLog) {
      let domain =
        log.attempt(.domain) { () throws(KernelError) in
          try image.requiredStructure("dmar_domain")
        } ?? StructLayout(name: "dmar_domain", byteCount: 0, members: [:])
      ids = domain.has("iommu_array") ? .xarray : domain.has("iommu_did") ? .array : .single
      top = domain.has("pgd") ? .pgd : .generic
      firstStageOps = image.symbol("intel_fs_paging_domain_ops")
      secondStageOps = image.symbol("intel_ss_paging_domain_ops")
      identity = Set(image.symbols.addresses["identity_domain"] ?? [])
      blocking = Set(image.symbols.addresses["blocking_domain"] ?? [])
      isEmbedded = domain.has("domain")
      embedsProcesses = domain.has("cache_tags")
      hasType = (try? image.has("iommu_domain", "type")) ?? false
      staticIdentity = log.attempt(.staticIdentity) { () throws(KernelError) in
        KernelAddress(try image.variable("si_domain") ?? UInt64(0))
      }
      _ = log.attempt(.operations) { () throws(KernelError) in
        guard let address = image.symbol("intel_iommu_ops"),
          try image.structure("iommu_ops") != nil
        else { return }
        let ops = try image.object("iommu_ops", at: address)
        if try ops.has("identity_domain") {
          identity.insert(try ops.pointer("identity_domain"))
        }
        if try ops.has("blocked_domain") { blocking.insert(try ops.pointer("blocked_domain")) }
      }
    }
  }

  // MARK: Entry points

  /// Reads the domain around a `struct iommu_domain` once.
  ///
  /// - Returns: the key under which `domains` has it; `nil` for a null pointer, a domain that cannot be read
  ///   at all, and one of another driver.
  @discardableResult
  func add(iommuDomain pointer: KernelAddress) -> KernelAddress? {
    guard pointer.rawValue != 0, !isForeign else { return nil }
    if form.identity.contains(pointer) || form.blocking.contains(pointer) {
      if domains[pointer] == nil {
        domains[pointer] = LinuxDomain(
          kernelObject: pointer, iommuDomain: pointer,
          type: form.identity.contains(pointer) ? .identity : .blocked, ids: [:])
      }
      return pointer
    }
    let found = log.attempt(.genericDomain) { () throws(KernelError) -> KernelAddress in
      let domain = try image.object("iommu_domain", at: pointer)
      guard form.isEmbedded else { return try domain.pointer("priv") }
      if !form.embedsProcesses, form.hasType, try domain.unsigned("type") == 0x10 {
        return try addProcess(domain)
      }
      return try image.container("dmar_domain", of: "domain", at: pointer).address
    }
    return found.flatMap { domains[$0] != nil ? $0 : add($0) }
  }

  /// Shared virtual addressing up to Linux v6.9: an `iommu_domain` with nothing around it.
  private func addProcess(_ domain: KernelObject) throws(KernelError) -> KernelAddress {
    guard domains[domain.address] == nil else { return domain.address }
    var found = LinuxDomain(
      kernelObject: domain.address, iommuDomain: domain.address, type: .sva, ids: [:])
    try readProcessTable(of: domain, into: &found)
    domains[domain.address] = found
    return domain.address
  }

  /// The driver's id for a domain on a unit, as the unit's own table has it.
  func setID(_ id: UInt32, of domain: KernelAddress, on sequence: Int) {
    domains[domain]?.ids[sequence] = id
  }

  /// Reads a `struct dmar_domain` once.
  @discardableResult
  func add(_ address: KernelAddress) -> KernelAddress? {
    // A nested domain leads to its parent, and a damaged one to any number of others.
    var next: KernelAddress? = address
    while let place = next, place.rawValue != 0, domains[place] == nil,
      !unreadable.contains(place)
    {
      let domain = log.attempt(.domain) { () throws(KernelError) in
        guard domains.count < Self.limit else {
          throw KernelError(at: place, .malformed("more than \(Self.limit) domains"))
        }
        return try read(try image.object("dmar_domain", at: place))
      }
      if let domain { domains[place] = domain } else { unreadable.insert(place) }
      next = domain?.parent
    }
    return domains[address] == nil ? nil : address
  }

  /// Hosts have at most as many domains as a few units have ids.
  private static let limit = 1 << 17

  // MARK: One domain

  private func read(_ object: KernelObject) throws(KernelError) -> LinuxDomain {
    let iommuDomain = form.isEmbedded ? try object.object("domain") : nil
    var domain = LinuxDomain(
      kernelObject: object.address, iommuDomain: iommuDomain?.address, type: .other(nil), ids: [:])
    domain.type = try type(of: object, iommuDomain)
    domain.ids =
      log.attempt(.domainIDs) { () throws(KernelError) in try ids(of: object) } ?? [:]
    domain.references =
      log.attempt(.references) { () throws(KernelError) in
        try references(of: object)
      } ?? [:]
    domain.apertureEnd =
      log.attempt(.geometry) { () throws(KernelError) -> UInt64? in
        guard let iommuDomain, try iommuDomain.has("geometry.aperture_end") else { return nil }
        return try iommuDomain.unsigned("geometry.aperture_end")
      } ?? nil
    switch domain.type {
    case .sva:
      _ = log.attempt(.processTable) { () throws(KernelError) in
        try readProcessTable(of: iommuDomain, into: &domain)
      }
    case .nested:
      if try object.has("s2_domain") {
        let parent = try object.pointer("s2_domain")
        if parent.rawValue != 0 { domain.parent = parent }
      }
      domain.isFirstStage = true
    case .blocked: break
    default:
      _ = log.attempt(.pageTable) { () throws(KernelError) in
        try readTop(of: object, iommuDomain, into: &domain)
      }
    }
    switch domain.type {
    case .dma, .dmaFQ, .other:
      domain.allocator =
        log.attempt(.allocator) { () throws(KernelError) in
          try allocators.read(object, iommuDomain: iommuDomain)
        } ?? nil
    // Other domains are mapped by whoever made them; an allocator inside holds nothing but what it
    // was initialised with.
    case .blocked, .identity, .unmanaged, .sva, .nested: break
    }
    return domain
  }

  /// What a domain is for.
  ///
  /// Up to Linux v5.2 the driver made the domains of the DMA API and its static identity domain
  /// itself and left `type` at 0; no `dmar_domain` is a blocking one, that is a static object.
  /// Without `type` (v3.10) flags tell.
  ///
  /// Source: drivers/iommu/intel-iommu.c, function `alloc_domain`; `DOMAIN_FLAG_VIRTUAL_MACHINE`
  /// and `DOMAIN_FLAG_STATIC_IDENTITY` of v3.10.
  private func type(
    of object: KernelObject, _ iommuDomain: KernelObject?
  ) throws(KernelError) -> LinuxDomainType {
    if let staticIdentity = form.staticIdentity, object.address == staticIdentity {
      return .identity
    }
    if form.hasType, let iommuDomain {
      let value = try iommuDomain.unsigned("type")
      return value == 0 ? .dma : Self.type(value)
    }
    // Where the driver's structure holds the other one, that one has had a type ever since.
    guard !form.isEmbedded else {
      log.note(
        KernelError(
          at: object.address, .noMember(structure: "iommu_domain", member: "type")),
        .genericDomain)
      return .other(nil)
    }
    guard try object.has("flags") else { return .other(nil) }
    let flags = try object.unsigned("flags")
    return flags[bit: 2] ? .identity : flags[bit: 1] ? .unmanaged : .dma
  }

  /// Source: include/linux/iommu.h, `IOMMU_DOMAIN_BLOCKED` and following.
  private static func type(_ value: UInt64) -> LinuxDomainType {
    switch value {
    case 0x0: .blocked
    case 0x1: .unmanaged
    case 0x3: .dma
    case 0x4: .identity
    case 0xb: .dmaFQ
    case 0x10: .sva
    case 0x40: .nested
    default: .other(value)
    }
  }

  private func ids(of object: KernelObject) throws(KernelError) -> [Int: UInt32] {
    var ids: [Int: UInt32] = [:]
    try image.spend(1 + sequences.count, at: object.address)
    switch form.ids {
    case .xarray:
      let entries = log.take(
        image.xarray(at: try object.address(of: "iommu_array"), limit: 1024), .unitsOfDomain)
      try image.spend(entries.count, at: object.address)
      for entry in entries {
        guard let sequence = Int(exactly: entry.index) else { continue }
        ids[sequence] = log.attempt(.unitOfDomain) { () throws(KernelError) in
          let info = try image.object("iommu_domain_info", at: KernelAddress(entry.word & ~3))
          return UInt32(truncatingIfNeeded: try info.unsigned("did"))
        }
      }
    case .array:
      let length = try object.arrayCount("iommu_did")
      for sequence in sequences where (0..<length).contains(sequence) {
        guard try object.element("iommu_refcnt", sequence) != 0 else { continue }
        ids[sequence] = UInt32(truncatingIfNeeded: try object.element("iommu_did", sequence))
      }
    case .single:
      let id = UInt32(truncatingIfNeeded: try object.unsigned("id"))
      let units = min(try object.arrayCount("iommu_bmp"), 64) * 64
      for sequence in sequences where (0..<units).contains(sequence) {
        guard try object.element("iommu_bmp", sequence / 64)[bit: sequence % 64] else { continue }
        ids[sequence] = id
      }
    }
    return ids
  }

  /// How many attachments each unit's part of the domain counts.
  private func references(of object: KernelObject) throws(KernelError) -> [Int: Int] {
    var references: [Int: Int] = [:]
    switch form.ids {
    case .xarray:
      // A damaged array was noted when its ids were read.
      for entry in image.xarray(at: try object.address(of: "iommu_array"), limit: 1024).elements {
        guard let sequence = Int(exactly: entry.index) else { continue }
        let info = try image.object("iommu_domain_info", at: KernelAddress(entry.word & ~3))
        guard try info.has("refcnt") else { continue }
        references[sequence] = Int(truncatingIfNeeded: try info.unsigned("refcnt"))
      }
    case .array:
      let length = try object.arrayCount("iommu_refcnt")
      for sequence in sequences where (0..<length).contains(sequence) {
        references[sequence] = Int(
          truncatingIfNeeded: try object.element("iommu_refcnt", sequence))
      }
    case .single: break
    }
    return references
  }

  private func readTop(
    of object: KernelObject, _ iommuDomain: KernelObject?, into domain: inout LinuxDomain
  ) throws(KernelError) {
    let ops = try iommuDomain?.pointer("ops")
    if let ops, let first = form.firstStageOps, ops == first {
      domain.isFirstStage = true
    } else if let ops, let second = form.secondStageOps, ops == second {
      domain.isFirstStage = false
    } else if try object.has("use_first_level") {
      domain.isFirstStage = try object.unsigned("use_first_level") != 0
    }
    switch form.top {
    case .pgd:
      let top = try object.pointer("pgd")
      guard top.rawValue != 0 else { return }
      domain.table = try image.reader.physical(top).pageBase
      let agaw = try object.signed("agaw")
      // 30 bits to 64 bits wide; drivers make 39 to 57.
      guard (0...4).contains(agaw) else {
        throw KernelError(at: object.address, .malformed("agaw is \(agaw), outside 0...4"))
      }
      domain.levels = Int(agaw) + 2
    case .generic:
      // The low three bits of the word are the top level, counted from 0.
      let leg = domain.isFirstStage == true ? "fspt.x86_64_pt" : "sspt.vtdss_pt"
      let word = try object.unsigned(leg + ".common.top_of_table")
      guard word & ~7 != 0 else { return }
      domain.table = try image.reader.physical(KernelAddress(word & ~7)).pageBase
      guard word & 7 < 6 else {
        throw KernelError(
          at: object.address, .malformed("top of the page table is level \(word & 7)"))
      }
      domain.levels = Int(word & 7) + 1
    }
  }

  /// Shared virtual addressing: the tables are a process's own.
  private func readProcessTable(
    of iommuDomain: KernelObject?, into domain: inout LinuxDomain
  ) throws(KernelError) {
    domain.isFirstStage = true
    guard let iommuDomain, try iommuDomain.has("mm"),
      let process = try iommuDomain.target("mm", as: "mm_struct")
    else { return }
    domain.table = try image.reader.physical(try process.pointer("pgd")).pageBase
    domain.levels = image.reader.space.levels
  }
}
