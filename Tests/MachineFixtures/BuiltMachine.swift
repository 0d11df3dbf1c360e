// SPDX-License-Identifier: Apache-2.0

public import KernelFixtures
import KernelImage
import Memory
import RemappingState

/// A machine made of its plan: tables as hardware reads them, the kernel that believes in them, and what
/// must be said of both.
///
///     memory   1 MiB on      the kernel's objects and every table
///              32 MiB on     per-CPU data
///              64 MiB on     what devices map, and from 448 MiB on the crash kernel's reservation
public final class BuiltMachine {
  public let plan: MachinePlan
  public let kernel: RemappingKernel
  public private(set) var truth = MachineTruth()
  /// `struct dmar_domain`s, in the plan's order.
  public private(set) var domains: [FixtureObject] = []
  /// What the kernel has of each device, in the plan's order.
  public private(set) var functions: [RemappingKernel.Function] = []
  /// Mappings of each domain with the regions of its devices, of nested ones as a device meets them.
  public private(set) var mappings: [[MachinePlan.Mapping]] = []

  let tables: TableWriter
  var units: [RemappingKernel.Unit] = []
  /// Tables of each domain: the one that the kernel's structure names, and a nested one's second stage.
  var tops: [(first: UInt64, second: UInt64?)] = []
  /// Domain-ids by domain, then by unit.
  var ids: [[Int: UInt32]] = []

  /// Where devices may map to.
  public static let targets: Range<UInt64> = 0x400_0000..<0x1c00_0000
  public static let crashKernel: ClosedRange<UInt64> = 0x1c00_0000...0x1fff_ffff

  /// - Parameters:
  ///   - finishing: the last word before addresses are published, for what no plan can say.
  ///   - altering: changes declarations of the kernel's structures, whose objects then lie that way.
  ///   - publishing: changes what the kernel says of its types, not how they lie.
  public init(
    _ plan: MachinePlan, finishing: (BuiltMachine) -> Void = { _ in },
    altering: ((String, String) -> String)? = nil,
    publishing: (FixtureTypes) -> Void = { _ in }
  ) {
    self.plan = plan
    kernel = RemappingKernel(
      plan.variant,
      SyntheticKernel(
        perCPUAreas: PhysicalAddress(0x200_0000), symbolsLieInImage: true, altering: altering))
    tables = TableWriter(kernel: kernel.kernel)
    giveIDs()
    makeUnits()
    makeDomains()
    makeDevices()
    makeScopes()
    makeRest()
    finishing(self)
    kernel.finish()
    linkDevices()
    publishing(kernel.kernel.types)
    publish()
    precondition(kernel.kernel.end.rawValue < 0x200_0000, "the machine has too many tables")
  }

  public func name(ofUnit index: Int) -> String { "dmar\(index)" }

  // MARK: Units

  private func capability(_ unit: MachinePlan.Unit) -> UInt64 {
    // 4,096 domain-ids; 3, 4 and 5 levels; 57 bits; 2 MiB and 1 GiB pages; first stage 1 GiB, 5 levels.
    4 | 0b1110 << 8 | 56 << 16 | 0b11 << 34 | 1 << 54 | 1 << 56 | 1 << 60
  }

  private func extended(_ unit: MachinePlan.Unit) -> UInt64 {
    // Coherent, queued invalidation, device TLB, pass-through, snoop control.
    var word: UInt64 = 0b111 | 1 << 6 | 1 << 7
    if unit.mode == .scalable {
      // Scalable mode, nesting, PASIDs of 20 bits, page requests, both stages.
      word |= 1 << 43 | 1 << 26 | 1 << 40 | 19 << 35 | 1 << 29 | 1 << 46 | 1 << 47
    }
    return word & ~unit.lacks | unit.adds
  }

  /// Ids that devices of a unit need, counted from 2; pass-through in scalable mode has 1.
  private func giveIDs() {
    ids = plan.domains.map { _ in [:] }
    var next: [Int: UInt32] = [:]
    for device in plan.devices {
      for domain in [device.domain].compactMap(\.self)
        + device.pasids.sorted(by: { $0.key < $1.key }).map(\.value)
      where ids[domain][device.unit] == nil {
        if plan.domains[domain].kind == .identity, plan.units[device.unit].mode == .scalable {
          ids[domain][device.unit] = 1
        } else {
          ids[domain][device.unit] = next[device.unit, default: 2]
          next[device.unit, default: 2] += 1
        }
      }
    }
  }

  private func makeUnits() {
    for (index, unit) in plan.units.enumerated() {
      let used = Set(ids.compactMap { $0[index] }).union([0, 1])
      let made = kernel.addUnit(
        capability: capability(unit), extended: extended(unit),
        ids: plan.variant.hasIDA ? used.subtracting([0, 1]).sorted() : used.sorted(),
        includeAll: unit.includeAll)
      made.iommu.set([
        "gcmd": unit.command, "ir_table": 0, "agaw": UInt64(unit.levels - 2),
        "segment": UInt64(unit.segment),
      ])
      made.drhd.set([
        "segment": UInt64(unit.segment), "gfx_dedicated": unit.graphicsOnly ? 1 : 0,
      ])
      let queue = kernel.kernel.object("q_inval", at: KernelAddress(made.iommu["qi"]))
      queue.set([
        "desc": kernel.kernel.allocate(8192, alignment: 4096).rawValue, "free_head": 0,
        "free_tail": 0, "desc_status": kernel.kernel.allocate(1024).rawValue,
      ])
      units.append(made)
      truth.roots[name(ofUnit: index)] = root(index)
    }
    kernel.kernel.variable(
      "intel_iommu_sm", (plan.units.contains { $0.mode == .scalable } ? 1 : 0) as Int32)
  }

  private func root(_ unit: Int) -> PhysicalAddress {
    kernel.kernel.physical(KernelAddress(units[unit].iommu["root_entry"]))
  }

  // MARK: Domains

  private func makeDomains() {
    for (index, domain) in plan.domains.enumerated() {
      let number: UInt64 =
        switch domain.kind {
        case .dma: 3
        case .dmaFQ: 11
        case .identity: 4
        case .unmanaged: 1
        case .nested: 0x40
        }
      let object = kernel.addDomain(
        type: number, ids: ids[index], levels: domain.levels, firstStage: domain.stage == .first,
        references: attachments(of: index))
      kernel.kernel.link([], at: object.address(of: "devices"))
      object.offer([
        "domain.cookie_type": domain.isOfIOMMUFD ? 5 : 0,
        "domain.iopf_handler": domain.handlesPageRequests ? 0xffff_ffff_8012_3450 : 0,
      ])
      domains.append(object)
      fill(index, object)
    }
  }

  /// How often devices and PASIDs of each unit are attached.
  private func attachments(of domain: Int) -> [Int: UInt64] {
    var counts: [Int: UInt64] = [:]
    for device in plan.devices {
      let uses =
        [device.domain == domain].count { $0 } + device.pasids.values.count { $0 == domain }
      counts[device.unit, default: 0] += UInt64(uses)
    }
    return counts.filter { $0.value > 0 }
  }

  /// Mappings, those of regions among them, and the tables that say so.
  private func fill(_ index: Int, _ object: FixtureObject) {
    let domain = plan.domains[index]
    let owners = plan.devices.indices.filter { plan.devices[$0].domain == index }
    let regions = plan.regions.filter { !Set($0.devices).isDisjoint(with: owners) }.map {
      MachinePlan.Mapping(
        $0.range.lowerBound, to: $0.range.lowerBound,
        bytes: $0.range.upperBound - $0.range.lowerBound + 1)
    }
    var all = domain.kind == .identity ? [] : domain.mappings + regions
    var top: UInt64 = 0
    switch plan.variant.top {
    case .pgd, .pgdWithStage: top = physical(object["pgd"])
    case .generic:
      let leg = domain.stage == .first ? "fspt.x86_64_pt" : "sspt.vtdss_pt"
      top = physical(object[leg + ".common.top_of_table"])
    }
    var second: UInt64?
    if domain.kind == .nested {
      // The tables themselves lie where the guest says, the rest goes through its memory.
      let guest = tables.page()
      let before = kernel.kernel.end.rawValue
      for mapping in all { tables.map(mapping, in: guest, levels: domain.levels, stage: .first) }
      let own =
        [guest] + stride(from: (before + 0xfff) & ~0xfff, to: kernel.kernel.end.rawValue, by: 4096)
      let host = tables.page()
      for page in own {
        tables.map(
          .init(page, to: page, bytes: 4096), in: host, levels: 4, stage: .second)
      }
      for mapping in domain.guestMemory {
        tables.map(mapping, in: host, levels: 4, stage: .second)
      }
      top = guest
      second = host
      all = all.flatMap { through(domain.guestMemory, $0) }
    } else if domain.kind != .identity {
      for mapping in all {
        tables.map(mapping, in: top, levels: domain.levels, stage: domain.stage)
      }
    }
    tops.append((top, second))
    mappings.append(all)
    if domain.kind == .dma || domain.kind == .dmaFQ { makeAllocator(domain, object, regions) }
  }

  private func physical(_ word: UInt64) -> UInt64 {
    kernel.kernel.physical(KernelAddress(word & ~0xfff)).rawValue
  }

  /// What a guest's mapping comes to, page by page.
  private func through(
    _ memory: [MachinePlan.Mapping], _ mapping: MachinePlan.Mapping
  ) -> [MachinePlan.Mapping] {
    stride(from: 0, to: mapping.bytes, by: 4096).compactMap { offset in
      MachineTruth.target(of: mapping.physical + offset, in: memory).map {
        MachinePlan.Mapping(
          mapping.iova + offset, to: $0.physical, bytes: 4096, rights: mapping.rights & $0.rights)
      }
    }
  }

  /// Each mapping is a range that the allocator has given out; so are the regions of devices.
  private func makeAllocator(
    _ domain: MachinePlan.Domain, _ object: FixtureObject, _ regions: [MachinePlan.Mapping]
  ) {
    let ranges = (domain.mappings + regions).sorted { $0.iova < $1.iova }.map {
      ($0.iova >> 12)...(($0.iova + $0.bytes - 1) >> 12)
    }
    _ = kernel.setAllocator(of: object, ranges)
  }

  // MARK: Devices

  private func makeDevices() {
    var buses: [PCIFunction: RemappingKernel.Bus] = [:]
    func bus(of function: PCIFunction) -> RemappingKernel.Bus {
      let key = PCIFunction(segment: function.segment, bus: function.bus, devfn: 0)
      if let bus = buses[key] { return bus }
      let bus = kernel.addBus(function.bus, segment: UInt64(function.segment))
      buses[key] = bus
      return bus
    }
    var members: [UInt64: [Int]] = [:]
    for (index, device) in plan.devices.enumerated() {
      var function: RemappingKernel.Function
      switch device.nature {
      case .function:
        function = kernel.addFunction(
          bus(of: device.function), device.function.devfn, driver: device.driver)
      case .behindVMD(let own):
        function = kernel.addFunction(bus(of: own), own.devfn, driver: device.driver)
      case .other(let name):
        let object = kernel.kernel.make("device")
        object["kobj.name"] = kernel.kernel.string(name).rawValue
        if let driver = device.driver {
          object["driver"] =
            kernel.kernel.make(
              "device_driver", ["name": kernel.kernel.string(driver).rawValue]
            ).address.rawValue
        }
        function = .init(object: object, device: object, devfn: 0, bus: 0)
      }
      function.bus = device.function.bus
      function.devfn = device.function.devfn
      functions.append(function)
      members[device.group, default: []].append(index)
      attach(index, device, function)
    }
    for (group, devices) in members.sorted(by: { $0.key < $1.key }) {
      var pasids: [UInt64: UInt64] = [:]
      for index in devices {
        for (pasid, domain) in plan.devices[index].pasids.sorted(by: { $0.key < $1.key }) {
          pasids[UInt64(pasid)] = pasidWord(domains[domain])
        }
      }
      let domain = devices.lazy.compactMap { self.plan.devices[$0].domain }.first
      kernel.addGroup(
        group, devices.map { functions[$0].device }, domain: domain.map { domains[$0] },
        pasids: pasids)
    }
  }

  private func pasidWord(_ domain: FixtureObject) -> UInt64 {
    switch plan.variant.pasids {
    case .none, .domain: kernel.generic(domain).rawValue
    case .handle, .tagged:
      kernel.kernel.make("iommu_attach_handle", ["domain": kernel.generic(domain).rawValue]).address
        .rawValue | (plan.variant.pasids == .tagged ? 1 : 0)
    }
  }

  private func attach(
    _ index: Int, _ device: MachinePlan.Device, _ function: RemappingKernel.Function
  ) {
    let info = kernel.attach(
      function, to: units[device.unit], device.domain.map { domains[$0] })
    if info.has("segment") { info["segment"] = UInt64(device.function.segment) }
    let unit = plan.units[device.unit]
    let name = name(ofUnit: device.unit)
    let root = root(device.unit).rawValue
    // Behind a VMD controller the controller's context serves.
    if case .behindVMD = device.nature { return }
    guard let domain = device.domain else { return }
    if unit.mode == .legacy {
      let words = tables.legacyContext(
        root, device.function,
        table: plan.domains[domain].kind == .identity ? nil : tops[domain].first,
        // Pass-through takes the widest that the unit has.
        levels: plan.domains[domain].kind == .identity ? 5 : plan.domains[domain].levels,
        domainID: ids[domain][device.unit] ?? 0)
      truth.words[name, default: [:]][device.function] = words
      note(device, domain, pasid: nil)
      return
    }
    let (directory, words) = tables.scalableContext(
      root, device.function, hasPASIDs: !device.pasids.isEmpty, pageRequests: device.pageRequests)
    truth.words[name, default: [:]][device.function] = words
    if info.has("pasid_table") {
      info["pasid_table"] =
        kernel.kernel.make(
          "pasid_table",
          [
            "table": kernel.kernel.virtual(PhysicalAddress(directory)).rawValue,
            "max_pasid": 8192,
          ]
        ).address.rawValue
    }
    let pasids = device.pasids.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    for (pasid, domain) in [(UInt32(0), domain)] + pasids {
      tables.pasidEntry(directory, pasid, target(domain, device.unit))
      note(device, domain, pasid: pasid)
    }
  }

  private func target(_ domain: Int, _ unit: Int) -> TableWriter.Target {
    let row = plan.domains[domain]
    let id = ids[domain][unit] ?? 0
    let top = tops[domain]
    switch (row.kind, row.stage) {
    case (.identity, _): return .init(type: 4, domainID: id)
    case (.nested, _):
      return .init(
        type: 3, domainID: id, first: (top.first, row.levels),
        second: top.second.map { ($0, 4) })
    case (_, .first): return .init(type: 1, domainID: id, first: (top.first, row.levels))
    case (_, .second): return .init(type: 2, domainID: id, second: (top.first, row.levels))
    }
  }

  /// What the tables say of one entry.
  private func note(_ device: MachinePlan.Device, _ domain: Int, pasid: UInt32?) {
    let row = plan.domains[domain]
    let unit = name(ofUnit: device.unit)
    let id = ids[domain][device.unit] ?? 0
    let isIdentity = row.kind == .identity
    let table = isIdentity ? nil : PhysicalAddress(tops[domain].first)
    truth.contexts.append(
      .init(
        unit: unit, device: device.function, pasid: pasid,
        translation: isIdentity
          ? .passThrough
          : row.kind == .nested ? .nested : row.stage == .first ? .firstStage : .secondStage,
        domainID: id, levels: isIdentity ? nil : row.levels, table: table))
    let object = domains[domain].address
    guard !truth.domains.contains(where: { $0.unit == unit && $0.kernelObject == object }) else {
      return
    }
    truth.domains.append(
      .init(
        unit: unit, domainID: id, table: table, kernelObject: object, kind: row.kind,
        runs: isIdentity ? nil : MachineTruth.runs(mappings[domain]),
        leaves: mappings[domain].reduce(0) { $0 + Int($1.bytes / $1.pageSize) }))
  }

  private func linkDevices() {
    for (index, domain) in domains.enumerated() {
      let infos = zip(plan.devices, kernel.infos).filter { $0.0.domain == index }.map(\.1)
      kernel.kernel.link(infos, by: "link", at: domain.address(of: "devices"))
    }
  }
}
