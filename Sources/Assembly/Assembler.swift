// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
internal import Memory
internal import RemappingState
internal import VTd

/// Brings the two witnesses together in one state.
///
/// The hardware's tables start from the root pointers that the kernel's structures name; from there
/// on neither witness is asked about the other's facts. Joining is by identity alone: a context
/// belongs to the kernel's device with its source id, a domain row to the kernel object that this
/// device is attached to.
struct Assembler {
  let memory: any PhysicalMemory
  let kernel: LinuxIOMMU
  /// Tells free pages; `nil` where the kernel does not tell them.
  let pages: LinuxPages?
  private let regions: Regions
  private let fixed: AddressRanges
  /// Devices by every source id that may stand for them.
  private let deviceBySource: [PCIFunction: Int]
  private let kernelDomains: [KernelAddress: LinuxDomain]
  private var walker: DomainWalker
  private var units: [Unit] = []
  private var observations: [Observation] = []

  init(memory: any PhysicalMemory, kernel: LinuxIOMMU, pages: LinuxPages? = nil) {
    self.memory = memory
    self.pages = pages
    self.kernel = kernel
    regions = Regions(kernel)
    fixed = regions.fixed
    var sources: [PCIFunction: Int] = [:]
    for (index, device) in kernel.devices.enumerated() where device.isRemapped {
      for alias in device.aliases where sources[alias] == nil { sources[alias] = index }
    }
    // A function's own id counts before any alias.
    for (index, device) in kernel.devices.enumerated() {
      if device.isRemapped, let function = device.name.function { sources[function] = index }
    }
    deviceBySource = sources
    kernelDomains = Dictionary(
      kernel.domains.map { ($0.kernelObject, $0) }, uniquingKeysWith: { first, _ in first })
    walker = DomainWalker(memory)
  }

  mutating func assemble(_ dump: DumpSummary) -> RemappingState {
    let sorted = kernel.units.sorted {
      ($0.segment, $0.registerBase) < ($1.segment, $1.registerBase)
    }
    var tables = TableReader(memory)
    units = sorted.map { unit(from: $0) }
    var contexts: [Context] = []
    for unit in units { contexts += tables.contexts(of: unit) }
    observations += tables.observations

    let domains = domains(units: sorted, contexts: contexts)
    inspectTargets(domains, contexts: contexts)
    let devices = devices(units: sorted, contexts: contexts, domains: domains)
    let regions = reservedRegions(devices)
    return RemappingState(
      dump: dump, units: units, contexts: contexts, domains: domains, devices: devices,
      reservedRegions: regions,
      observations: kernel.problems.map(Observation.init) + observations + walker.observations,
      memoryMap: MemoryRegion.regions(kernel.memoryMap))
  }

  /// Looks for tables in wrong hands and for mappings of what no driver owns.
  private mutating func inspectTargets(_ domains: [Domain], contexts: [Context]) {
    var tables = walker.tables
    for unit in units {
      tables.add(unit.rootTable, what: "root table of \(unit.name)")
      tables.add(
        unit.interruptRemapping?.table, pages: (unit.interruptRemapping?.entries ?? 0) / 256,
        what: "interrupt-remapping table of \(unit.name)")
      tables.add(
        unit.invalidationQueue?.base, what: "invalidation queue of \(unit.name)")
    }
    for context in contexts {
      tables.add(
        context.entry.pageBase,
        what: (context.pasid == nil ? "context table" : "PASID table") + " of \(context.unit)")
    }
    var inspector = TargetInspector(
      tables: tables, pages: pages, fixed: fixed, memory: walker.memoryRanges)
    inspector.inspect(domains)
    observations += tables.observations + inspector.observations
  }

  // MARK: Units

  private mutating func unit(from unit: LinuxUnit) -> Unit {
    let isRemapping = unit.kernelObject != nil
    return Unit(
      name: unit.name, segment: unit.segment, registerBase: unit.registerBase,
      capability: HexWord(unit.capability), extendedCapability: HexWord(unit.extendedCapability),
      tableMode: unit.tableMode,
      translationEnabled: unit.globalCommand.map { $0[bit: 31] },
      interruptRemappingEnabled: unit.globalCommand.map { $0[bit: 25] },
      rootTable: unit.rootTable, rootFrom: unit.rootTable == nil ? nil : .kernel,
      domainIDs: DomainIDs(
        supported: isRemapping ? 1 << (4 + 2 * Int(unit.capability & 7)) : 0,
        used: isRemapping ? unit.domainIDs : []),
      kernelObject: unit.kernelObject, sequence: isRemapping ? unit.sequence : nil,
      globalCommand: unit.globalCommand.map { HexWord(UInt64($0)) },
      levels: unit.agaw.map { $0 + 2 }, ignored: unit.ignored, includeAll: unit.includeAll,
      scope: unit.scope, inherited: unit.translationPreEnabled,
      copiedContexts: unit.copiedContexts.map {
        .pci(
          PCIFunction(
            segment: unit.segment, bus: UInt8($0 >> 8), devfn: UInt8(truncatingIfNeeded: $0)))
      },
      interruptRemapping: unit.interruptRemapping.map { interruptRemapping($0, of: unit) },
      invalidationQueue: unit.invalidationQueue.map {
        InvalidationQueue(
          base: $0.base, entries: $0.count, descriptorSize: $0.descriptorSize,
          freeHead: $0.freeHead, freeTail: $0.freeTail, pending: $0.pending.count)
      })
  }

  /// Reads an interrupt-remapping table as the hardware would.
  private mutating func interruptRemapping(
    _ table: LinuxInterruptRemapping, of unit: LinuxUnit
  ) -> InterruptRemapping {
    var sources: Set<UInt16>?
    // With a gap in the tree of devices, nobody can be said not to exist.
    if let others = kernel.interruptSources,
      !kernel.problems.contains(where: {
        $0.subject.contains("bus") || $0.subject.contains("pci")
      })
    {
      sources = unit.kernelObject.flatMap { others[$0] } ?? []
      for device in kernel.devices {
        for function in [device.name.function].compactMap(\.self) + device.aliases
        where function.segment == unit.segment || function.segment >= 0x10000 {
          sources?.insert(function.sourceID)
        }
      }
    }
    var reader = InterruptTableReader(
      memory, sources: sources,
      unit: UnitCapabilities(
        capability: Capability(rawValue: unit.capability),
        extendedCapability: ExtendedCapability(rawValue: unit.extendedCapability)),
      name: unit.name)
    let result = reader.read(table)
    observations += reader.observations
    return result
  }

  // MARK: Domains

  private mutating func domains(units: [LinuxUnit], contexts: [Context]) -> [Domain] {
    let unitByName = Dictionary(
      units.enumerated().map { ($1.name, (rank: $0, unit: $1)) }, uniquingKeysWith: { a, _ in a })
    // Rows that contexts use, in the order of their first context.
    var rows: [Domain] = []
    var members: [[Context]] = []
    var rowByKey: [DomainKey: Int] = [:]
    for context in contexts where context.translation != .none {
      let key = DomainKey(unit: context.unit, domainID: context.domainID, table: context.table)
      if let row = rowByKey[key] {
        members[row].append(context)
      } else {
        rowByKey[key] = rows.count
        rows.append(Domain(unit: context.unit, domainID: context.domainID))
        members.append([context])
      }
    }
    for row in rows.indices {
      guard let unit = unitByName[rows[row].unit ?? ""]?.unit, let first = members[row].first
      else { continue }
      fill(&rows[row], from: first, all: members[row], unit: unit)
    }

    // What only the kernel holds.
    for domain in kernel.domains {
      let held = rows.filter { $0.kernelObject == domain.kernelObject }
      for (sequence, id) in domain.ids.sorted(by: { $0.key < $1.key }) {
        guard let unit = units.first(where: { $0.kernelObject != nil && $0.sequence == sequence })
        else { continue }
        if held.contains(where: { $0.unit == unit.name && $0.domainID == id }) { continue }
        rows.append(kernelRow(domain, unit: unit.name, id: id))
      }
      if domain.ids.isEmpty, held.isEmpty { rows.append(kernelRow(domain, unit: nil, id: nil)) }
    }
    func order(_ row: Domain) -> (Int, UInt64, UInt64, UInt64) {
      (
        row.unit.flatMap { unitByName[$0]?.rank } ?? .max,
        row.domainID.map(UInt64.init) ?? .max, row.table?.rawValue ?? .max,
        row.kernelObject?.rawValue ?? .max
      )
    }
    return rows.sorted { order($0) < order($1) }
  }

  private mutating func fill(
    _ row: inout Domain, from first: Context, all contexts: [Context], unit: LinuxUnit
  ) {
    row.devices = Array(Set(contexts.map { DeviceName.pci($0.device) })).sorted()
    row.table = first.table
    row.levels = first.levels
    switch first.translation {
    case .secondStage: row.stage = .second
    case .firstStage, .nested: row.stage = .first
    case .passThrough, .none: row.stage = nil
    }
    // Through the device first, by id only then.
    let id = row.domainID
    let object =
      contexts.compactMap { kernelDomain(of: $0) }.first
      ?? kernel.domains.first { $0.ids[unit.sequence] == id && id != nil }
    row.kernelObject = object?.kernelObject
    row.type = object.map { DomainType($0.type) } ?? .unknown
    if let space = first.addressSpace {
      let result = walker.walk(
        space, unit: units.first { $0.name == unit.name }, domainID: row.domainID,
        kernelObject: row.kernelObject, isOwn: row.type != .sva)
      row.mapping = result.mapping
      row.walk = result.summary
    }
    row.references = object?.references[unit.sequence]
    row.iova = object.flatMap { iovaSpace(of: $0, mapping: row.mapping) }
    row.inFlight = row.type != .identity && isMappedBeyondFixedRegions(row.mapping)
  }

  private mutating func kernelRow(_ domain: LinuxDomain, unit: String?, id: UInt32?) -> Domain {
    var row = Domain(
      unit: unit, domainID: id, type: DomainType(domain.type),
      kernelObject: domain.kernelObject,
      stage: domain.table == nil ? nil : domain.isFirstStage == true ? .first : .second,
      table: domain.table, levels: domain.levels)
    if let table = domain.table, let levels = domain.levels, let stage = row.stage,
      domain.type != .sva
    {
      let root = StageRoot(table: table, levels: levels)
      let result = walker.walk(
        AddressSpace(stage: stage == .first ? .first : .second, root: root),
        unit: units.first { $0.name == unit }, domainID: id,
        kernelObject: domain.kernelObject, isOwn: true)
      row.mapping = result.mapping
      row.walk = result.summary
    }
    if let unit = units.first(where: { $0.name == unit }), let sequence = unit.sequence {
      row.references = domain.references[sequence]
    }
    row.iova = iovaSpace(of: domain, mapping: row.mapping)
    return row
  }

  /// The kernel domain that the context's own device, or its PASID there, is attached to.
  private func kernelDomain(of context: Context) -> LinuxDomain? {
    guard let index = deviceBySource[context.device] else { return nil }
    let device = kernel.devices[index]
    if let pasid = context.pasid, !context.servesRequestsWithoutPASID {
      return device.pasidDomains[pasid].flatMap { kernelDomains[$0] }
    }
    return device.attachedDomain.flatMap { kernelDomains[$0] }
  }

  private func isMappedBeyondFixedRegions(_ mapping: Mapping?) -> Bool {
    guard let mapping else { return false }
    return mapping.runs.contains { !fixed.gaps(in: $0.addresses).isEmpty }
  }

  private func iovaSpace(of domain: LinuxDomain, mapping: Mapping?) -> IOVASpace? {
    guard let allocator = domain.allocator else { return nil }
    var reserved = kernel.hostBridgeWindows + kernel.reservedTemplate + [Regions.msiWindow]
    for device in kernel.devices where device.attachedDomain == domain.kernelObject {
      reserved += (regions.byDevice[device.name] ?? []).map(\.range)
    }
    return IOVASpace(allocator, mapping: mapping, reserved: AddressRanges(reserved))
  }

  // MARK: Devices and regions

  private func devices(
    units: [LinuxUnit], contexts: [Context], domains: [Domain]
  ) -> [Device] {
    var rowByKey: [DomainKey: Domain] = [:]
    for row in domains where row.unit != nil && !row.devices.isEmpty {
      rowByKey[
        DomainKey(unit: row.unit ?? "", domainID: row.domainID, table: row.table)] = row
    }
    // The context of requests without PASID.
    var contextByDevice: [PCIFunction: Context] = [:]
    for context in contexts where context.servesRequestsWithoutPASID {
      if contextByDevice[context.device] == nil { contextByDevice[context.device] = context }
    }
    return kernel.devices.filter(\.isRemapped).map { device in
      let unit = units.first { $0.kernelObject != nil && $0.kernelObject == device.iommu }
      let attached = device.attachedDomain.flatMap { kernelDomains[$0] }
      var row = Device(
        device: device.name, unit: unit?.name,
        domainID: attached.flatMap { domain in
          unit.flatMap { domain.ids[$0.sequence] ?? domain.fixedID }
        },
        aliases: device.aliases.map(DeviceName.pci), group: device.group, driver: device.driver,
        kernelObject: device.info, domain: attached?.kernelObject,
        defaultDomainType: device.groupDefaultDomain.flatMap { kernelDomains[$0] }.map {
          DomainType($0.type)
        },
        pciID: device.vendorID.flatMap { vendor in
          device.deviceID.map { hexDigits(vendor) + ":" + hexDigits($0) }
        })
      let context = device.name.function.flatMap { contextByDevice[$0] }
      row.reservedRegions = (regions.byDevice[device.name] ?? []).map { region in
        DeviceRegion(
          kind: region.kind, base: IOVirtualAddress(region.range.lowerBound),
          end: IOVirtualAddress(region.range.upperBound),
          mapped: region.kind == .msi ? nil : coverage(of: region.range, by: context, rowByKey))
      }
      return row
    }
  }

  private func coverage(
    of region: ClosedRange<UInt64>, by context: Context?, _ rows: [DomainKey: Domain]
  ) -> ReservedRegion.Coverage? {
    guard let context else { return .absent }
    switch context.translation {
    case .passThrough: return .identity
    case .none: return .absent
    case .secondStage, .firstStage, .nested:
      let key = DomainKey(unit: context.unit, domainID: context.domainID, table: context.table)
      guard let row = rows[key], let mapping = row.mapping, let walk = row.walk else { return nil }
      let coverage = mapping.coverage(of: region)
      // A missing table may hold the missing part.
      let isCertain =
        coverage == .identity || coverage == .other
        || walk.unreadable == 0 && !walk.budgetExhausted
      return isCertain ? coverage : nil
    }
  }

  private func reservedRegions(_ devices: [Device]) -> [ReservedRegion] {
    regions.all.map { region, owners in
      let base = IOVirtualAddress(region.range.lowerBound)
      let end = IOVirtualAddress(region.range.upperBound)
      let mapped = devices.flatMap { device in
        device.reservedRegions.filter {
          $0.kind == region.kind && $0.base == base && $0.end == end
            && owners.contains(device.device)
        }
      }.map(\.mapped)
      // One device whose coverage is unknown leaves the worst unknown, unless another is absent.
      let known = mapped.compactMap { $0 }
      let worst = known.max()
      return ReservedRegion(
        kind: region.kind, segment: region.segment, base: base, end: end, devices: owners,
        mapped: region.kind == .msi || (known.count < mapped.count && worst != .absent)
          ? nil : worst)
    }
  }

  private func hexDigits(_ value: UInt16) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 4 - digits.count) + digits
  }
}

extension LinuxDevice {
  /// The domain of requests without PASID: the driver's record, or the group's domain where the
  /// driver keeps none because the domain is static.
  var attachedDomain: KernelAddress? { domain ?? (attachDeferred ? nil : groupDomain) }
}

extension LinuxDomain {
  /// The static identity domain has one id on every unit: FLPT_DEFAULT_DID.
  ///
  /// Source: drivers/iommu/intel/pasid.h.
  var fixedID: UInt32? { type == .identity && ids.isEmpty && table == nil ? 1 : nil }
}

extension DomainType {
  init(_ type: LinuxDomainType) {
    self =
      switch type {
      case .blocked: .blocked
      case .identity: .identity
      case .unmanaged: .unmanaged
      case .dma: .dma
      case .dmaFQ: .dmaFQ
      case .sva: .sva
      case .nested: .nested
      case .other: .unknown
      }
  }
}

extension Observation {
  init(_ problem: LinuxProblem) {
    self.init(
      problem.absence == nil ? .malformed : .unreadable, unit: problem.unit,
      device: problem.device, subject: problem.subject,
      address: problem.address.map { HexWord($0.rawValue) }, detail: problem.message)
  }
}
