// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory
internal import RemappingState

/// Reads a domain's IOVA allocator: the tree, the per-CPU caches and the flush queues.
///
/// Source: drivers/iommu/iova.c and drivers/iommu/dma-iommu.c.
final class AllocatorReader {
  let image: KernelImage
  let log: ProblemLog
  /// Numbers of the CPUs that have caches and queues; `nil` if not known.
  private let cpus: [Int]?
  private let flushes: PendingFlushes
  /// The `iova_domain`s read so far: each belongs to one domain.
  private var seen: Set<KernelAddress> = []

  init(_ image: KernelImage, _ log: ProblemLog) {
    self.image = image
    self.log = log
    cpus = log.attempt(.possibleCPUs) { () throws(KernelError) in try image.possibleCPUs() }
    flushes = PendingFlushes(image, log, cpus: cpus)
  }

  /// The allocator of a domain, or `nil` if it has none.
  ///
  /// Since Linux commit c588072bba6b ("iommu/vt-d: Convert intel iommu driver to the iommu ops")
  /// (in v5.11), in dma-iommu's cookie; before that, in the `struct dmar_domain`, whose field
  /// outlived its use.
  func read(
    _ domain: KernelObject, iommuDomain: KernelObject?
  ) throws(KernelError) -> LinuxIOVAAllocator? {
    if let iommuDomain, let cookie = try cookie(of: iommuDomain) {
      let space = try cookie.object("iovad")
      // The queues moved from the allocator to the cookie with Linux v5.17.
      let isOwner = try cookie.has("fq_flush_finish_cnt")
      return try read(space, owner: .cookie, queueOwner: isOwner ? cookie : space)
    }
    guard try domain.has("iovad") else { return nil }
    let space = try domain.object("iovad")
    // A leftover field was never initialised.
    guard try space.root() != 0 else { return nil }
    var allocator = try read(space, owner: .driver, queueOwner: space)
    for start in flushes.ranges[domain.address] ?? [] { allocator?.queued[start] = true }
    if !flushes.isComplete { allocator?.lacksQueues = true }
    return allocator
  }

  private func cookie(of domain: KernelObject) throws(KernelError) -> KernelObject? {
    guard try domain.has("iova_cookie") else { return nil }
    // The pointer shares its place with others. Since Linux commit 6aa63a4ec947 ("iommu: Sort out
    // domain user data") (in v6.15).
    if try domain.has("cookie_type") {
      let dma = try image.enumerator("IOMMU_COOKIE_DMA_IOVA") ?? 1
      guard try domain.signed("cookie_type") == dma else { return nil }
    }
    guard let cookie = try domain.target("iova_cookie", as: "iommu_dma_cookie") else { return nil }
    // 1 is IOMMU_DMA_MSI_COOKIE: no allocator.
    if try cookie.has("type"), try cookie.unsigned("type") != 0 { return nil }
    return cookie
  }

  private func read(
    _ space: KernelObject, owner: LinuxIOVAAllocator.Owner, queueOwner: KernelObject
  ) throws(KernelError) -> LinuxIOVAAllocator? {
    let granule = try space.has("granule") ? try space.unsigned("granule") : 4096
    guard granule != 0 else { return nil }
    guard granule.nonzeroBitCount == 1 else {
      throw KernelError(
        at: space.address, .malformed("IOVA granule \(granule.hexadecimal) is no power of two"))
    }
    guard seen.insert(space.address).inserted else {
      throw KernelError(at: space.address, .malformed("two domains share one IOVA allocator"))
    }
    var allocator = LinuxIOVAAllocator(granule: granule, owner: owner)
    try readTree(of: space, into: &allocator)
    var problems = log.count
    _ = log.attempt(.caches) { () throws(KernelError) in
      try readCaches(of: space, into: &allocator)
    }
    if log.count > problems { allocator.lacksCaches = true }
    problems = log.count
    _ = log.attempt(.flushQueue) { () throws(KernelError) in
      try readQueues(of: queueOwner, into: &allocator)
    }
    if log.count > problems { allocator.lacksQueues = true }
    return allocator
  }

  // MARK: Tree

  /// - Returns: why nodes are missing, if any are; the log has it too.
  @discardableResult
  private func readTree(
    of space: KernelObject, into allocator: inout LinuxIOVAAllocator
  ) throws(KernelError) -> KernelError? {
    let layout = try image.requiredStructure("iova")
    guard let node = layout.members["node"]?.offset, let low = layout.members["pfn_lo"]?.offset,
      let high = layout.members["pfn_hi"]?.offset
    else { throw KernelError(.noMember(structure: "iova", member: "node, pfn_lo or pfn_hi")) }
    let anchor = try space.has("anchor") ? try space.address(of: "anchor") : nil
    let tree = image.redBlackTree(at: try space.address(of: "rbroot"))
    let links = log.take(tree, .allocatorTree)
    var problem = tree.problem
    allocator.lacksNodes = problem != nil
    guard layout.byteCount <= Page.size else {
      throw KernelError(
        at: space.address, .malformed("struct iova of \(layout.byteCount) bytes"))
    }
    for link in links {
      let start = KernelAddress(link.rawValue &- UInt64(clamping: node))
      // The anchor is embedded in the allocator and stands for the end of the address space.
      if start == anchor { continue }
      let bytes: [UInt8]
      do {
        bytes = try image.reader.bytes(at: start, count: layout.byteCount)
      } catch {
        log.note(error, .allocation)
        problem = problem ?? error
        continue
      }
      let range = LinuxIOVAAllocator.Node(
        low: (try? bytes.littleEndian(at: low)) ?? 0,
        high: (try? bytes.littleEndian(at: high)) ?? 0)
      // The last byte of the address space is the last that a range can have.
      guard range.low <= range.high, range.high <= UInt64.max / allocator.granule else {
        let error = KernelError(
          at: start,
          .malformed(
            "IOVA node \(range.low.hexadecimal) to \(range.high.hexadecimal) is no range"))
        log.note(error, .allocation)
        problem = problem ?? error
        continue
      }
      allocator.nodes.append(range)
    }
    allocator.nodes.sort { $0.low < $1.low }
    allocator.lacksNodes = problem != nil
    return problem
  }

  // MARK: Caches

  /// IOVA_RANGE_CACHE_MAX_SIZE
  private static let cacheCount = 6

  private func readCaches(
    of space: KernelObject, into allocator: inout LinuxIOVAAllocator
  ) throws(KernelError) {
    guard try space.has("rcaches") else { return }
    let layout = try image.requiredStructure("iova_rcache")
    let first: KernelAddress
    // An array inside the allocator, or a pointer to one. Since Linux commit 32e92d9f6f87
    // ("iommu/iova: Separate out rcache init") (in v5.18).
    if case .array = try space.member("rcaches").shape {
      first = try space.address(of: "rcaches")
    } else {
      first = try space.pointer("rcaches")
      if first.rawValue == 0 { return }
    }
    for index in 0..<Self.cacheCount {
      let cache = KernelObject(
        image, layout,
        at: KernelAddress(first.rawValue &+ UInt64(index) &* UInt64(clamping: layout.byteCount)))
      _ = log.attempt(.depot) { () throws(KernelError) in
        try readDepot(of: cache, into: &allocator)
      }
      let perCPU = try cache.pointer("cpu_rcaches")
      guard perCPU.rawValue != 0 else { continue }
      allocator.lacksCaches = allocator.lacksCaches || cpus == nil
      for cpu in cpus ?? [] {
        try image.spend(1, at: cache.address)
        for path in ["loaded", "prev"] {
          _ = log.attempt(.cacheOfCPU, number: "\(cpu)") { () throws(KernelError) in
            let local = try image.object("iova_cpu_rcache", at: try image.perCPU(perCPU, cpu: cpu))
            try readMagazine(try local.pointer(path), into: &allocator)
          }
        }
      }
    }
  }

  private func readDepot(
    of cache: KernelObject, into allocator: inout LinuxIOVAAllocator
  ) throws(KernelError) {
    if case .array = try cache.member("depot").shape {
      let capacity = try cache.arrayCount("depot")
      for slot in 0..<(try cache.count("depot_size", limit: capacity)) {
        let magazine = KernelAddress(try cache.element("depot", slot))
        _ = log.attempt(.depot) { () throws(KernelError) in
          try readMagazine(magazine, into: &allocator)
        }
      }
      return
    }
    // A list of full magazines: the link lies over the count.
    var next = try cache.pointer("depot")
    var remaining = try cache.count("depot_size", limit: 1 << 20)
    var known: Set<KernelAddress> = []
    while next.rawValue != 0, remaining > 0 {
      guard known.insert(next).inserted else {
        throw KernelError(at: next, .malformed("IOVA magazine is met twice in its depot"))
      }
      try readMagazine(next, isFull: true, into: &allocator)
      next = try image.object("iova_magazine", at: next).pointer("next")
      remaining -= 1
    }
  }

  private func readMagazine(
    _ pointer: KernelAddress, isFull: Bool = false, into allocator: inout LinuxIOVAAllocator
  ) throws(KernelError) {
    guard pointer.rawValue != 0 else { return }
    let magazine = try image.object("iova_magazine", at: pointer)
    let capacity = try magazine.arrayCount("pfns")
    let size = isFull ? capacity : try magazine.count("size", limit: capacity)
    try image.spend(size, at: pointer)
    for slot in 0..<size { allocator.cached.insert(try magazine.element("pfns", slot)) }
  }

  // MARK: Flush queues

  private func readQueues(
    of owner: KernelObject, into allocator: inout LinuxIOVAAllocator
  ) throws(KernelError) {
    guard try owner.has("fq_flush_finish_cnt") else { return }
    // In the cookie a queue exists once a domain is named; in the allocator, once it is allocated.
    if try owner.has("fq_domain"), try owner.pointer("fq_domain").rawValue == 0 { return }
    let finished = try owner.unsigned("fq_flush_finish_cnt")
    // One queue for all CPUs (IOMMU_DMA_OPTS_SINGLE_QUEUE) or one for each. Since Linux v6.7.
    if try owner.has("single_fq"), try owner.has("options.qt"),
      try owner.unsigned("options.qt") == 1
    {
      let size = try owner.count("options.fq_size", limit: 1 << 20)
      try readQueue(try owner.pointer("single_fq"), size, finished, into: &allocator)
      return
    }
    let name = try owner.has("percpu_fq") ? "percpu_fq" : "fq"
    guard try owner.has(name) else { return }
    let perCPU = try owner.pointer(name)
    guard perCPU.rawValue != 0 else { return }
    let size =
      try owner.has("options.fq_size") ? try owner.count("options.fq_size", limit: 1 << 20) : nil
    allocator.lacksQueues = allocator.lacksQueues || cpus == nil
    for cpu in cpus ?? [] {
      _ = log.attempt(.flushQueueOfCPU, number: "\(cpu)") { () throws(KernelError) in
        try readQueue(try image.perCPU(perCPU, cpu: cpu), size, finished, into: &allocator)
      }
    }
  }

  private func readQueue(
    _ address: KernelAddress, _ size: Int?, _ finished: UInt64,
    into allocator: inout LinuxIOVAAllocator
  ) throws(KernelError) {
    let queue = try image.object("iova_fq", at: address)
    let entryLayout = try image.requiredStructure("iova_fq_entry")
    let entries = try queue.address(of: "entries")
    let capacity: Int
    if try queue.has("mod_mask") {
      capacity = try queue.count("mod_mask", limit: (1 << 20) - 1) + 1
    } else if case .array(_, let count?) = try queue.member("entries").shape {
      capacity = count
    } else {
      capacity = size ?? 0
    }
    var slot = try queue.count("head", limit: Int(UInt32.max))
    let tail = try queue.count("tail", limit: Int(UInt32.max))
    guard capacity > 0, slot < capacity, tail < capacity else {
      throw KernelError(
        at: address, .malformed("flush queue from \(slot) to \(tail) of \(capacity) entries"))
    }
    try image.spend(tail >= slot ? tail - slot : capacity - slot + tail, at: address)
    while slot != tail {
      let entry = KernelObject(
        image, entryLayout,
        at: KernelAddress(
          entries.rawValue &+ UInt64(slot) &* UInt64(clamping: entryLayout.byteCount)))
      let start = try entry.unsigned("iova_pfn")
      // An entry is done once a flush that began after it was queued has finished.
      let isPending = try entry.unsigned("counter") >= finished
      allocator.queued[start] = isPending || allocator.queued[start] == true
      slot = (slot + 1) % capacity
    }
  }

  // MARK: The older drivers' template

  /// The ranges of `reserved_iova_list`, inclusive, in bytes; empty where the kernel has none.
  ///
  /// Source: drivers/iommu/intel/iommu.c, `dmar_init_reserved_ranges`, up to Linux 5.10.
  func reservedTemplate() throws(KernelError) -> [ClosedRange<UInt64>] {
    guard let address = image.symbol("reserved_iova_list") else { return [] }
    let space = try image.object("iova_domain", at: address)
    guard try space.root() != 0 else { return [] }
    let granule = try space.has("granule") ? try space.unsigned("granule") : 4096
    guard granule.nonzeroBitCount == 1 else {
      throw KernelError(
        at: space.address, .malformed("IOVA granule \(granule.hexadecimal) is no power of two"))
    }
    var allocator = LinuxIOVAAllocator(granule: granule, owner: .driver)
    if let problem = try readTree(of: space, into: &allocator) {
      log.note(problem, .reservedTemplate)
    }
    return allocator.nodes.map {
      $0.low &* allocator.granule...($0.high &* allocator.granule | (allocator.granule - 1))
    }
  }
}

extension KernelObject {
  /// Of a `struct iova_domain`: the tree's top node.
  fileprivate func root() throws(KernelError) -> UInt64 {
    try image.reader.littleEndian(at: try address(of: "rbroot"))
  }
}
