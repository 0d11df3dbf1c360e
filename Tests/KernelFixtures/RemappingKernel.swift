// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A synthetic kernel with remapping units, domains and PCI functions, in one variant's layout.
///
/// `finish()` links what was added; after it, members may still be changed.
public final class RemappingKernel {
  public let kernel: SyntheticKernel
  public let variant: KernelVariant

  public struct Unit {
    public var drhd: FixtureObject
    public var iommu: FixtureObject
    public var sequence: Int
  }

  public struct Bus {
    public var object: FixtureObject
    public var number: UInt8
    fileprivate var index: Int
  }

  public struct Function {
    public var object: FixtureObject
    public var device: FixtureObject
    public var devfn: UInt8
    public var bus: UInt8

    public init(object: FixtureObject, device: FixtureObject, devfn: UInt8, bus: UInt8) {
      self.object = object
      self.device = device
      self.devfn = devfn
      self.bus = bus
    }
  }

  public struct Allocator {
    /// The `struct iova_domain`.
    public var space: FixtureObject
    /// Where the queue's members are: the allocator or the cookie.
    public var owner: FixtureObject
    public var cookie: FixtureObject?
    /// In the order of their ranges, the anchor last where there is one.
    public var nodes: [FixtureObject] = []
    /// `struct iova_rcache`, six of them.
    public var caches: [FixtureObject] = []
    /// CPU copies of `iova_cpu_rcache`, by cache.
    public var locals: [[FixtureObject]] = []
    /// Queues by CPU, or the single one.
    public var queues: [FixtureObject] = []

    public init(space: FixtureObject, owner: FixtureObject, cookie: FixtureObject? = nil) {
      self.space = space
      self.owner = owner
      self.cookie = cookie
    }
  }

  public private(set) var units: [Unit] = []
  /// Units of other drivers, `struct iommu_device`.
  public private(set) var otherUnits: [FixtureObject] = []
  public private(set) var reservedRegions: [FixtureObject] = []
  public private(set) var rootPorts: [FixtureObject] = []
  public private(set) var caches: [FixtureObject] = []
  public private(set) var groups: [FixtureObject] = []
  public private(set) var infos: [FixtureObject] = []
  private var buses: [(object: FixtureObject, parent: Int?, functions: [FixtureObject])] = []
  private var members: [[FixtureObject]] = []
  private var flushTables: [FixtureObject] = []
  private let ops: KernelAddress
  public let firstStageOps: KernelAddress
  public let secondStageOps: KernelAddress

  public convenience init(_ variant: KernelVariant, cpuCount: Int = 2) {
    self.init(variant, SyntheticKernel(cpuCount: cpuCount))
  }

  public init(_ variant: KernelVariant, _ kernel: SyntheticKernel) {
    self.variant = variant
    self.kernel = kernel
    ops = kernel.named(kernel.allocate(256))
    firstStageOps = kernel.named(kernel.allocate(256))
    secondStageOps = kernel.named(kernel.allocate(256))
    defineTypes()
    kernel.symbol("intel_iommu_ops", ops)
    for name in ["dmar_drhd_units", "dmar_rmrr_units", "dmar_atsr_units", "dmar_satc_units"] {
      kernel.listHead(name)
    }
    kernel.listHead("pci_root_buses")
    if variant.hasUnitList { kernel.listHead("iommu_device_list") }
    if variant.hasDeviceList { kernel.listHead("device_domain_list") }
    if variant.top == .generic {
      kernel.symbol("intel_fs_paging_domain_ops", firstStageOps)
      kernel.symbol("intel_ss_paging_domain_ops", secondStageOps)
    }
    let set = kernel.make("kset")
    kernel.link([], at: set.address(of: "list"))
    kernel.variable("iommu_group_kset", set.address.rawValue)
  }

  private func head(_ symbol: String) -> KernelAddress {
    kernel.symbols[symbol]?.first ?? KernelAddress(0)
  }

  /// Links every list.
  public func finish() {
    kernel.link(units.map(\.drhd), by: "list", at: head("dmar_drhd_units"))
    if variant.hasUnitList {
      kernel.link(
        units.map { $0.iommu.object("iommu") } + otherUnits, by: "list",
        at: head("iommu_device_list"))
    }
    kernel.link(reservedRegions, by: "list", at: head("dmar_rmrr_units"))
    kernel.link(rootPorts, by: "list", at: head("dmar_atsr_units"))
    kernel.link(caches, by: "list", at: head("dmar_satc_units"))
    if variant.hasDeviceList {
      kernel.link(infos, by: "global", at: head("device_domain_list"))
    }
    kernel.link(
      buses.filter { $0.parent == nil }.map(\.object), by: "node", at: head("pci_root_buses"))
    for (index, bus) in buses.enumerated() {
      kernel.link(bus.functions, by: "bus_list", at: bus.object.address(of: "devices"))
      kernel.link(
        buses.filter { $0.parent == index }.map(\.object), by: "node",
        at: bus.object.address(of: "children"))
    }
    let set = kernel.object("kset", at: KernelAddress(kernel.word(at: head("iommu_group_kset"))))
    kernel.link(groups, by: "kobj.entry", at: set.address(of: "list"))
    for (group, devices) in zip(groups, members) {
      let links = devices.map { device -> FixtureObject in
        let link = kernel.make(
          variant.membersAreNamedDevices ? "iommu_device" : "group_device",
          ["dev": device.address.rawValue])
        return link
      }
      kernel.link(links, by: "list", at: group.address(of: "devices"))
    }
  }

  // MARK: Units and their lists

  @discardableResult
  public func addUnit(
    capability: UInt64 = 0x00d2_008c_4066_0464, extended: UInt64 = 0xf0_20df,
    ids: [UInt32] = [0, 1], copied: [Int] = [], includeAll: Bool = true,
    scope: [FixtureObject?] = []
  ) -> Unit {
    let sequence = units.count
    let root = kernel.allocatePage()
    let statuses = kernel.allocate(1024)
    let queue = kernel.make(
      "q_inval",
      [
        "desc": kernel.allocatePage().rawValue, "desc_status": statuses.rawValue, "free_head": 5,
        "free_tail": 3, "free_cnt": 254,
      ])
    kernel.write(2 as UInt32, at: KernelAddress(statuses.rawValue + 12))
    kernel.write(1 as UInt32, at: KernelAddress(statuses.rawValue + 16))
    let interrupts = kernel.make(
      "ir_table",
      [
        "base": kernel.allocatePage().rawValue,
        "bitmap": kernel.bitmap([0, 17], count: 65536).rawValue,
      ])
    let iommu = kernel.make(
      "intel_iommu",
      [
        "cap": capability, "ecap": extended, "gcmd": 0x8600_0000, "seq_id": UInt64(sequence),
        "agaw": 2, "root_entry": root.rawValue, "qi": queue.address.rawValue,
        "ir_table": interrupts.address.rawValue,
      ])
    iommu.setText("name", "dmar\(sequence)")
    let count = 1 << (4 + 2 * Int(capability & 7))
    if variant.hasIDA {
      kernel.fillIDA(at: iommu.address(of: "domain_ida"), ids)
    } else {
      iommu["domain_ids"] = kernel.bitmap(ids.map { Int($0) }, count: count).rawValue
    }
    if iommu.has("domains") {
      iommu["domains"] =
        kernel.allocate(variant.domainTable == .flat ? count * 8 : count / 256 * 8).rawValue
    }
    if variant.hasCopiedTables, !copied.isEmpty {
      iommu["copied_tables"] = kernel.bitmap(copied, count: 65536).rawValue
      iommu.offer(["flags": 1])
    }
    let drhd = kernel.make(
      "dmar_drhd_unit",
      [
        "reg_base_addr": 0xfed9_0000 + UInt64(sequence) << 12, "iommu": iommu.address.rawValue,
        "include_all": includeAll ? 1 : 0,
      ])
    setScope(of: drhd, scope)
    let unit = Unit(drhd: drhd, iommu: iommu, sequence: sequence)
    units.append(unit)
    return unit
  }

  /// Registers a unit of another driver.
  public func addOtherUnit(_ name: String?) {
    let unit = kernel.make("iommu_device", ["ops": ops.rawValue + 8])
    let device = variant.embedsUnitDevice ? unit.object("dev") : kernel.make("device")
    if !variant.embedsUnitDevice { unit["dev"] = device.address.rawValue }
    if let name { device["kobj.name"] = kernel.string(name).rawValue }
    otherUnits.append(unit)
  }

  /// Gives a DRHD, RMRR, ATSR or SATC its devices: `struct device`s or, where the variant has
  /// them there, `struct pci_dev`s.
  public func setScope(of owner: FixtureObject, _ devices: [FixtureObject?]) {
    guard !devices.isEmpty else { return }
    let step = variant.namesFunctions ? 8 : 16
    let array = kernel.allocate(devices.count * step)
    for (index, device) in devices.enumerated() {
      guard let device else { continue }
      kernel.write(
        device.address.rawValue, at: KernelAddress(array.rawValue + UInt64(index * step)))
    }
    owner.set(["devices": array.rawValue, "devices_cnt": UInt64(devices.count)])
  }

  /// What a scope holds for a function.
  public func scopeEntry(_ function: Function) -> FixtureObject {
    variant.namesFunctions ? function.object : function.device
  }

  @discardableResult
  public func addReservedRegion(
    _ base: UInt64, through end: UInt64, _ devices: [FixtureObject?]
  ) -> FixtureObject {
    let region = kernel.make("dmar_rmrr_unit", ["base_address": base, "end_address": end])
    setScope(of: region, devices)
    reservedRegions.append(region)
    return region
  }

  /// - Parameter segment: of firmware's structure behind the kernel's; without it there is none.
  public func addRootPorts(
    includeAll: Bool, segment: UInt16? = nil, _ devices: [FixtureObject?]
  ) {
    let unit = kernel.make("dmar_atsr_unit", ["include_all": includeAll ? 1 : 0])
    if let segment { unit["hdr"] = firmwareStructure(2, segment).rawValue }
    setScope(of: unit, devices)
    rootPorts.append(unit)
  }

  /// The first eight bytes of an ATSR (type 2) or SATC (type 5).
  private func firmwareStructure(_ type: UInt64, _ segment: UInt16) -> KernelAddress {
    let place = kernel.allocate(16)
    kernel.write(type | 8 << 16 | UInt64(segment) << 48, at: place)
    return place
  }

  public func addTranslationCache(
    required: Bool = false, segment: UInt16? = nil, _ devices: [FixtureObject?]
  ) {
    let unit = kernel.make("dmar_satc_unit", ["atc_required": required ? 1 : 0])
    if let segment { unit["hdr"] = firmwareStructure(5, segment).rawValue }
    setScope(of: unit, devices)
    caches.append(unit)
  }

  // MARK: PCI

  /// Adds a bus; `bridge` is the function that leads to it.
  @discardableResult
  public func addBus(
    _ number: UInt8, segment: UInt64 = 0, under parent: Bus? = nil, bridge: Function? = nil
  ) -> Bus {
    let data = kernel.make("pci_sysdata", ["domain": segment])
    let object = kernel.make(
      "pci_bus",
      [
        "number": UInt64(number), "sysdata": data.address.rawValue,
        "parent": parent?.object.address.rawValue ?? 0,
        "self": bridge?.object.address.rawValue ?? 0,
      ])
    bridge?.object["subordinate"] = object.address.rawValue
    kernel.link([], at: object.address(of: "devices"))
    kernel.link([], at: object.address(of: "children"))
    buses.append((object, parent?.index, []))
    return Bus(object: object, number: number, index: buses.count - 1)
  }

  @discardableResult
  public func addFunction(
    _ bus: Bus, _ devfn: UInt8, _ values: [String: UInt64] = [:], driver: String? = nil
  ) -> Function {
    let object = kernel.make(
      "pci_dev",
      [
        "bus": bus.object.address.rawValue, "devfn": UInt64(devfn), "vendor": 0x8086,
        "device": 0x100e, "class": 0x020000,
      ])
    object.set(values)
    buses[bus.index].functions.append(object)
    let device = object.object("dev")
    if let driver {
      device["driver"] =
        kernel.make("device_driver", ["name": kernel.string(driver).rawValue]).address.rawValue
    }
    return Function(object: object, device: device, devfn: devfn, bus: bus.number)
  }

  /// Gives a root bus a host bridge with memory windows in bus addresses.
  public func setWindows(of bus: Bus, _ windows: [ClosedRange<UInt64>], offset: UInt64 = 0) {
    let bridge = kernel.make("pci_host_bridge")
    bus.object["bridge"] = bridge.address(of: "dev").rawValue
    let name = variant.namesFunctions ? "pci_host_bridge_window" : "resource_entry"
    let link = variant.namesFunctions ? "list" : "node"
    var entries = windows.map { window -> FixtureObject in
      let resource = kernel.make(
        "resource",
        ["start": window.lowerBound + offset, "end": window.upperBound + offset, "flags": 0x200])
      return kernel.make(name, ["res": resource.address.rawValue, "offset": offset])
    }
    // A window of I/O ports does not count.
    let ports = kernel.make("resource", ["start": 0xc000, "end": 0xffff, "flags": 0x100])
    entries.append(kernel.make(name, ["res": ports.address.rawValue]))
    kernel.link(entries, by: link, at: bridge.address(of: "windows"))
  }

  // MARK: Domains

  /// Adds a `struct dmar_domain`.
  ///
  /// - Parameters:
  ///   - type: `iommu_domain.type`; not stored where the variant has none.
  ///   - ids: domain-ids by `seq_id`.
  ///   - references: attachments by `seq_id`, where there is not one.
  public func addDomain(
    type: UInt64 = 3, ids: [Int: UInt32] = [:], levels: Int = 4, firstStage: Bool = false,
    references: [Int: UInt64] = [:]
  ) -> FixtureObject {
    let domain = kernel.make("dmar_domain")
    domain.offer(["domain.type": type, "domain.geometry.aperture_end": 0xffff_ffff_ffff])
    let table = kernel.allocatePage()
    switch variant.top {
    case .pgd, .pgdWithStage:
      domain.set(["pgd": table.rawValue, "agaw": UInt64(levels - 2)])
      domain.offer(["use_first_level": firstStage ? 1 : 0])
    case .generic:
      let leg = firstStage ? "fspt.x86_64_pt" : "sspt.vtdss_pt"
      domain[leg + ".common.top_of_table"] = table.rawValue | UInt64(levels - 1)
      domain["domain.ops"] = (firstStage ? firstStageOps : secondStageOps).rawValue
    }
    switch variant.ids {
    case .single:
      for (sequence, id) in ids {
        domain["id"] = UInt64(id)
        let word = domain.element("iommu_bmp", sequence / 64)
        domain.setElement("iommu_bmp", sequence / 64, word | 1 << UInt64(sequence % 64))
      }
    case .array:
      for (sequence, id) in ids {
        domain.setElement("iommu_did", sequence, UInt64(id))
        domain.setElement("iommu_refcnt", sequence, references[sequence] ?? 1)
      }
    case .xarray:
      kernel.fillXArray(
        at: domain.address(of: "iommu_array"),
        Dictionary(
          uniqueKeysWithValues: ids.map { sequence, id in
            let info = kernel.make(
              "iommu_domain_info",
              ["refcnt": references[sequence] ?? 1, "did": UInt64(id)])
            return (UInt64(sequence), info.address.rawValue)
          }))
    }
    for (sequence, id) in ids where sequence < units.count {
      setTable(units[sequence], id, domain.address)
    }
    return domain
  }

  /// Enters a domain into a unit's table, where the variant has one.
  public func setTable(_ unit: Unit, _ id: UInt32, _ domain: KernelAddress) {
    guard unit.iommu.has("domains") else { return }
    let table = unit.iommu["domains"]
    switch variant.domainTable {
    case .none: break
    case .flat:
      kernel.write(domain.rawValue, at: KernelAddress(table + UInt64(id) * 8))
    case .split:
      let slot = KernelAddress(table + UInt64(id >> 8) * 8)
      if kernel.word(at: slot) == 0 { kernel.write(kernel.allocate(2048).rawValue, at: slot) }
      kernel.write(
        domain.rawValue, at: KernelAddress(kernel.word(at: slot) + UInt64(id & 0xff) * 8))
    }
  }

  /// The `struct iommu_domain` of a domain.
  public func generic(_ domain: FixtureObject) -> KernelAddress {
    if variant.embedsDomain { return domain.address(of: "domain") }
    return kernel.make("iommu_domain", ["priv": domain.address.rawValue]).address
  }

  /// Makes the device's `device_domain_info` and leads the device to it.
  @discardableResult
  public func attach(
    _ function: Function, to unit: Unit, _ domain: FixtureObject?
  ) -> FixtureObject {
    let info = kernel.make(
      "device_domain_info",
      [
        "bus": UInt64(function.bus), "devfn": UInt64(function.devfn),
        "dev": scopeEntry(function).address.rawValue, "iommu": unit.iommu.address.rawValue,
        "domain": domain?.address.rawValue ?? 0,
      ])
    infos.append(info)
    setInfo(of: function, info.address.rawValue)
    return info
  }

  /// Puts a word where the device's `device_domain_info` is looked for.
  public func setInfo(of function: Function, _ word: UInt64, ops other: KernelAddress? = nil) {
    if variant.infoInArchdata {
      function.device["archdata.iommu"] = word
      return
    }
    let unit = kernel.make("iommu_device", ["ops": (other ?? ops).rawValue])
    function.device["iommu"] =
      kernel.make("dev_iommu", ["iommu_dev": unit.address.rawValue, "priv": word]).address
      .rawValue
  }

  @discardableResult
  public func addGroup(
    _ id: UInt64, _ devices: [FixtureObject], domain: FixtureObject? = nil,
    pasids: [UInt64: UInt64] = [:]
  ) -> FixtureObject {
    let group = kernel.make("iommu_group", ["id": id])
    for device in devices { device["iommu_group"] = group.address.rawValue }
    if let domain {
      let pointer = generic(domain).rawValue
      group.offer(["domain": pointer, "default_domain": pointer])
    }
    if group.has("pasid_array") {
      kernel.fillXArray(at: group.address(of: "pasid_array"), pasids)
    }
    groups.append(group)
    members.append(devices)
    return group
  }

  // MARK: Allocators

  /// Gives a domain its IOVA allocator, where this variant keeps it.
  ///
  /// - Parameter ranges: in page numbers, ascending.
  public func setAllocator(
    of domain: FixtureObject, _ ranges: [ClosedRange<UInt64>]
  ) -> Allocator {
    var allocator: Allocator
    if variant.allocatorInCookie, variant.name != "G2c" {
      let cookie = kernel.make("iommu_dma_cookie")
      domain["domain.iova_cookie"] = cookie.address.rawValue
      domain.offer(["domain.cookie_type": 1])
      let space = cookie.object("iovad")
      allocator = Allocator(
        space: space, owner: variant.queue == .allocator ? space : cookie, cookie: cookie)
    } else {
      let space = domain.object("iovad")
      allocator = Allocator(space: space, owner: space)
    }
    fillSpace(&allocator, ranges)
    if variant.depot != .none { fillCaches(&allocator) }
    return allocator
  }

  public func fillSpace(_ allocator: inout Allocator, _ ranges: [ClosedRange<UInt64>]) {
    let space = allocator.space
    space.offer(["granule": 4096, "start_pfn": 1])
    allocator.nodes = ranges.map {
      kernel.make("iova", ["pfn_lo": $0.lowerBound, "pfn_hi": $0.upperBound])
    }
    if space.has("anchor") {
      let anchor = space.object("anchor")
      anchor.set(["pfn_lo": .max, "pfn_hi": .max])
      allocator.nodes.append(anchor)
    }
    kernel.fillTree(
      at: space.address(of: "rbroot"), allocator.nodes.map { $0.address(of: "node") })
  }

  private func fillCaches(_ allocator: inout Allocator) {
    let space = allocator.space
    let size = kernel.make("iova_rcache").byteCount
    let first: KernelAddress
    if variant.cachesBehindPointer {
      first = kernel.allocate(size * 6)
      space["rcaches"] = first.rawValue
    } else {
      first = space.address(of: "rcaches")
    }
    for index in 0..<6 {
      let cache = kernel.object(
        "iova_rcache", at: KernelAddress(first.rawValue + UInt64(index * size)))
      let (pointer, copies) = kernel.makePerCPU("iova_cpu_rcache")
      cache["cpu_rcaches"] = pointer.rawValue
      allocator.caches.append(cache)
      allocator.locals.append(copies)
    }
  }

  /// A magazine with page numbers; one of a depot's list is full whatever its first word says.
  public func makeMagazine(_ numbers: [UInt64], next: KernelAddress? = nil) -> FixtureObject {
    let magazine = kernel.make("iova_magazine", ["size": UInt64(numbers.count)])
    for (index, number) in numbers.enumerated() { magazine.setElement("pfns", index, number) }
    if let next { magazine["next"] = next.rawValue }
    return magazine
  }

  /// Makes the allocator's flush queues: one for each CPU, or a single one.
  public func makeQueues(
    _ allocator: inout Allocator, domain: FixtureObject, finished: UInt64, single: Bool = false,
    size: Int = 256
  ) {
    let owner = allocator.owner
    owner["fq_flush_finish_cnt"] = finished
    owner.offer(["fq_domain": domain.address(of: "domain").rawValue])
    let bytes = kernel.make("iova_fq").byteCount
    let step = kernel.make("iova_fq_entry").byteCount
    if variant.queue == .sized {
      owner.set(["options.fq_size": UInt64(size), "options.qt": single ? 1 : 0])
    }
    if single {
      let queue = kernel.object("iova_fq", at: kernel.allocate(bytes + size * step))
      owner["single_fq"] = queue.address.rawValue
      allocator.queues = [queue]
    } else {
      let sized = variant.queue == .sized
      let (pointer, copies) = kernel.makePerCPU(
        "iova_fq", byteCount: sized ? bytes + size * step : bytes)
      owner[sized ? "percpu_fq" : "fq"] = pointer.rawValue
      allocator.queues = copies
    }
    for queue in allocator.queues { queue.offer(["mod_mask": UInt64(size - 1)]) }
  }

  /// Fills a queue's slots from `head` on.
  public func fill(
    _ queue: FixtureObject, head: Int, _ entries: [(pfn: UInt64, counter: UInt64)], size: Int = 256
  ) {
    let step = kernel.make("iova_fq_entry").byteCount
    for (index, entry) in entries.enumerated() {
      let slot = (head + index) % size
      let place = KernelAddress(
        queue.address(of: "entries").rawValue + UInt64(slot * step))
      kernel.object("iova_fq_entry", at: place).set([
        "iova_pfn": entry.pfn, "pages": 1, "counter": entry.counter,
      ])
    }
    queue.set(["head": UInt64(head), "tail": UInt64((head + entries.count) % size)])
  }

  /// Puts ranges into a unit's table of the static `deferred_flush`.
  public func addDeferredFlush(
    unit: Int, _ entries: [(node: FixtureObject, domain: FixtureObject)]
  ) {
    let tables = deferredFlushTables(units.count, "deferred_flush_tables") { address in
      kernel.variable("deferred_flush", address.rawValue)
    }
    let table = tables[unit]
    for (index, entry) in entries.enumerated() {
      table.setElement("iova", index, entry.node.address.rawValue)
      table.setElement("domain", index, entry.domain.address.rawValue)
    }
    table["next"] = UInt64(entries.count)
  }

  /// Likewise, of one CPU's `deferred_flush`.
  public func addDeferredFlush(
    cpu: Int, unit: Int, _ entries: [(pfn: UInt64, domain: FixtureObject)]
  ) {
    let tables = deferredFlushTables(
      units.count * kernel.cpuCount, "deferred_flush_table"
    ) { address in
      let (pointer, copies) = kernel.makePerCPU("deferred_flush_data")
      kernel.symbol("deferred_flush", pointer)
      let step = UInt64(units.count * kernel.make("deferred_flush_table").byteCount)
      for (cpu, copy) in copies.enumerated() {
        copy["tables"] = address.rawValue + UInt64(cpu) * step
      }
    }
    let table = tables[cpu * units.count + unit]
    let step = kernel.make("deferred_flush_entry").byteCount
    for (index, entry) in entries.enumerated() {
      let place = KernelAddress(table.address(of: "entries").rawValue + UInt64(index * step))
      kernel.object("deferred_flush_entry", at: place).set([
        "iova_pfn": entry.pfn, "nrpages": 1, "domain": entry.domain.address.rawValue,
      ])
    }
    table["next"] = UInt64(entries.count)
  }

  private func deferredFlushTables(
    _ count: Int, _ name: String, _ publish: (KernelAddress) -> Void
  ) -> [FixtureObject] {
    if flushTables.isEmpty {
      let step = kernel.make(name).byteCount
      let first = kernel.allocate(step * count)
      flushTables = (0..<count).map {
        kernel.object(name, at: KernelAddress(first.rawValue + UInt64($0 * step)))
      }
      kernel.variable("g_num_of_iommus", Int32(units.count))
      publish(first)
    }
    return flushTables
  }
}
