// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory

/// Reads `struct dmar_domain` in every form that it has had.
///
/// What differs between kernels is where the top of the page table lives, how domain-ids are kept
/// and where the IOVA tree hangs; each is decided once from the members that exist.
final class DomainReader {
  let image: KernelImage
  let log: ProblemLog
  /// `seq_id`s of the units, the keys of ids.
  let sequences: [Int]
  private(set) var domains: [KernelAddress: LinuxDomain] = [:]
  private let form: Form
  private let allocators: AllocatorReader

  init(_ image: KernelImage, _ log: ProblemLog, sequences: [Int]) throws(KernelError) {
    self.image = image
    self.log = log
    self.sequences = sequences
    form = try Form(image)
    allocators = try AllocatorReader(image, log)
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

    init(_ image: KernelImage) throws(KernelError) {
      let domain = try image.requiredStructure("dmar_domain")
      ids = domain.has("iommu_array") ? .xarray : domain.has("iommu_did") ? .array : .single
      top = domain.has("pgd") ? .pgd : .generic
      firstStageOps = image.symbol("intel_fs_paging_domain_ops")
      secondStageOps = image.symbol("intel_ss_paging_domain_ops")
      identity = Set(image.symbols.addresses["identity_domain"] ?? [])
      blocking = Set(image.symbols.addresses["blocking_domain"] ?? [])
      isEmbedded = domain.has("domain")
      hasType = try image.has("iommu_domain", "type")
    }
  }

  // MARK: Entry points

  /// Reads the domain around a `struct iommu_domain` once.
  ///
  /// - Returns: the key under which `domains` has it; `nil` for a null pointer or a domain that
  ///   cannot be read at all.
  @discardableResult
  func add(iommuDomain pointer: KernelAddress) -> KernelAddress? {
    guard pointer.rawValue != 0 else { return nil }
    if form.identity.contains(pointer) || form.blocking.contains(pointer) {
      if domains[pointer] == nil {
        domains[pointer] = LinuxDomain(
          kernelObject: pointer, iommuDomain: pointer,
          type: form.identity.contains(pointer) ? .identity : .blocked, ids: [:])
      }
      return pointer
    }
    let found = log.attempt("struct iommu_domain") { () throws(KernelError) -> KernelAddress in
      if form.isEmbedded {
        return try image.container("dmar_domain", of: "domain", at: pointer).address
      }
      return try image.object("iommu_domain", at: pointer).pointer("priv")
    }
    return found.flatMap { add($0) }
  }

  /// Reads a `struct dmar_domain` once.
  @discardableResult
  func add(_ address: KernelAddress) -> KernelAddress? {
    guard address.rawValue != 0 else { return nil }
    if domains[address] != nil { return address }
    let domain = log.attempt("struct dmar_domain") { () throws(KernelError) in
      try read(try image.object("dmar_domain", at: address))
    }
    guard let domain else { return nil }
    domains[address] = domain
    if let parent = domain.parent { add(parent) }
    return address
  }

  // MARK: One domain

  private func read(_ object: KernelObject) throws(KernelError) -> LinuxDomain {
    let iommuDomain = form.isEmbedded ? try object.object("domain") : nil
    var domain = LinuxDomain(
      kernelObject: object.address, iommuDomain: iommuDomain?.address, type: .other(nil), ids: [:])
    if form.hasType, let iommuDomain {
      domain.type = Self.type(try iommuDomain.unsigned("type"))
    }
    domain.ids = try ids(of: object)
    domain.apertureEnd =
      log.attempt("domain geometry") { () throws(KernelError) -> UInt64? in
        guard let iommuDomain, try iommuDomain.has("geometry.aperture_end") else { return nil }
        return try iommuDomain.unsigned("geometry.aperture_end")
      } ?? nil
    switch domain.type {
    case .sva:
      try readProcessTable(of: iommuDomain, into: &domain)
    case .nested:
      if try object.has("s2_domain") { domain.parent = try object.pointer("s2_domain") }
      domain.isFirstStage = true
    case .blocked: break
    default:
      try readTop(of: object, iommuDomain, into: &domain)
    }
    domain.allocator =
      log.attempt("IOVA allocator") { () throws(KernelError) in
        try allocators.read(object, iommuDomain: iommuDomain)
      } ?? nil
    return domain
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
    switch form.ids {
    case .xarray:
      let entries = log.take(
        image.xarray(at: try object.address(of: "iommu_array"), limit: 65536), "iommu_array")
      for entry in entries {
        guard let sequence = Int(exactly: entry.index) else { continue }
        let info = try image.object("iommu_domain_info", at: KernelAddress(entry.word & ~3))
        ids[sequence] = UInt32(truncatingIfNeeded: try info.unsigned("did"))
      }
    case .array:
      let length = try object.arrayCount("iommu_did")
      for sequence in sequences where (0..<length).contains(sequence) {
        guard try object.element("iommu_refcnt", sequence) != 0 else { continue }
        ids[sequence] = UInt32(truncatingIfNeeded: try object.element("iommu_did", sequence))
      }
    case .single:
      let id = UInt32(truncatingIfNeeded: try object.unsigned("id"))
      for sequence in sequences where (0..<1024).contains(sequence) {
        guard try object.element("iommu_bmp", sequence / 64)[bit: sequence % 64] else { continue }
        ids[sequence] = id
      }
    }
    return ids
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
      domain.levels = Int(truncatingIfNeeded: try object.signed("agaw")) + 2
    case .generic:
      // The low three bits of the word are the top level, counted from 0.
      let leg = domain.isFirstStage == true ? "fspt.x86_64_pt" : "sspt.vtdss_pt"
      let word = try object.unsigned(leg + ".common.top_of_table")
      guard word & ~7 != 0 else { return }
      domain.table = try image.reader.physical(KernelAddress(word & ~7)).pageBase
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
