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
  let regions: Regions
  let fixed: AddressRanges
  /// Whether every range that is kept out of allocators is known.
  let isReservedComplete: Bool
  let index: KernelIndex
  let work: WorkBudget
  var walker: DomainWalker
  var tables: TableReader
  var observations: [Observation] = []

  init(memory: any PhysicalMemory, kernel: LinuxIOMMU, pages: LinuxPages? = nil, work: WorkBudget) {
    self.memory = memory
    self.pages = pages
    self.kernel = kernel
    regions = Regions(kernel)
    fixed = regions.fixed
    isReservedComplete = !kernel.problems.contains(where: \.structure.isPartOfReservedRanges)
    index = KernelIndex(kernel)
    self.work = work
    walker = DomainWalker(memory, work: work)
    tables = TableReader(memory, work)
  }

  mutating func assemble(
    _ dump: DumpSummary, _ registers: [UnitRegisters] = []
  ) -> RemappingState {
    let sorted = kernel.units.sorted {
      ($0.segment, $0.registerBase) < ($1.segment, $1.registerBase)
    }
    var tables = TableReader(memory, work)
    var units = sorted.map { unit(from: $0) }
    let registers = registers.map { $0.identified(among: units) }
    for registers in registers {
      guard let root = registers.givenRoot, let name = registers.unit,
        let row = units.firstIndex(where: { $0.name == name }), units[row].rootTable == nil
      else { continue }
      // The kernel tells none; what it believed of the unit stays as it is.
      units[row].rootTable = root.address
      units[row].rootFrom = .given
      units[row].tableMode = root.mode
      if units[row].capability == 0, let capability = registers.capability {
        units[row].capability = capability
        units[row].extendedCapability = registers.extendedCapability ?? 0
      }
    }
    var contexts: [Context] = []
    for unit in units { contexts += tables.contexts(of: unit) }
    observations += tables.observations
    self.tables = tables

    let domains = domains(units: units, contexts: contexts)
    inspectTargets(domains, units: units, contexts: contexts)
    let kernelObservations =
      kernel.otherUnits.map(Observation.init) + kernel.problems.map(Observation.init)
    let devices = devices(
      contexts: contexts, domains: domains,
      hidden: HiddenContexts(units: units, observations: kernelObservations + observations))
    let regions = reservedRegions(devices)
    return RemappingState(
      dump: dump, units: units, contexts: contexts, domains: domains, devices: devices,
      reservedRegions: regions, translationCaches: translationCaches,
      observations: kernelObservations + observations + walker.observations,
      memoryMap: MemoryRegion.regions(kernel.memoryMap), handovers: handovers(units),
      cuts: work.cuts, registers: registers.isEmpty ? nil : registers)
  }

  /// Pages whose structures are asked whether several buffers share them.
  private static let sharedPageLimit = 1 << 16

  /// Memory that two groups may write, but for pages that are handed out in pieces.
  func sharedPages(_ state: RemappingState) -> SharedPages.Search {
    var search = SharedPages.search(state)
    if !search.isComplete { work.cut(.entries, "the search for pages that domains share") }
    guard let pages else { return search }
    var left = Self.sharedPageLimit
    search.places.removeAll { place in
      let frames = place.range.lowerBound >> 12...place.range.upperBound >> 12
      guard frames.count <= left else { return false }
      left -= frames.count
      return frames.allSatisfy { pages.isDivided($0) == true }
    }
    return search
  }

  private var translationCaches: [TranslationCacheScope] {
    func rows(_ kind: TranslationCacheScope.Kind, _ scopes: [LinuxATSR]) -> [TranslationCacheScope]
    {
      scopes.map { scope in
        TranslationCacheScope(
          kind: kind,
          segment: scope.segment ?? scope.devices.lazy.compactMap(\.function).first?.segment,
          includeAll: scope.includeAll, required: scope.required, devices: scope.devices,
          kernelObject: scope.address)
      }
    }
    return rows(.atsr, kernel.atsrs) + rows(.satc, kernel.satcs)
  }

  /// Looks for tables in wrong hands and for mappings of what no driver owns.
  private mutating func inspectTargets(
    _ domains: [Domain], units: [Unit], contexts: [Context]
  ) {
    var tables = walker.tables
    for unit in units {
      tables.add(unit.rootTable, .table(.rootTable, unit: unit.name))
      tables.add(
        unit.interruptRemapping?.table, pages: (unit.interruptRemapping?.entries ?? 0) / 256,
        .interruptRemapping(unit: unit.name))
      tables.add(unit.invalidationQueue?.base, .invalidationQueue(unit: unit.name))
    }
    for context in contexts {
      tables.add(
        context.entry.pageBase,
        .table(context.pasid == nil ? .contextTable : .pasidTable, unit: context.unit))
    }
    var inspector = TargetInspector(
      tables: tables, pages: pages, fixed: fixed, memory: walker.memoryRanges, work: work)
    inspector.inspect(domains)
    observations += tables.observations + inspector.observations
  }

  // MARK: Units

  private mutating func unit(from unit: LinuxUnit) -> Unit {
    let isRemapping = unit.kernelObject != nil
    var made = Unit(
      name: unit.name, segment: unit.segment, registerBase: unit.registerBase,
      capability: HexWord(unit.capability), extendedCapability: HexWord(unit.extendedCapability),
      tableMode: unit.tableMode,
      translationEnabled: unit.globalCommand.map { $0[bit: 31] },
      interruptRemappingEnabled: unit.globalCommand.map { $0[bit: 25] },
      rootTable: unit.rootTable, rootFrom: unit.rootTable == nil ? nil : .kernel,
      domainIDs: DomainIDs(
        supported: isRemapping ? 1 << (4 + 2 * Int(unit.capability & 7)) : 0,
        used: isRemapping ? unit.domainIDs : [], reserved: unit.reservedDomainIDs),
      kernelObject: unit.kernelObject, sequence: isRemapping ? unit.sequence : nil,
      globalCommand: unit.globalCommand.map { HexWord(UInt64($0)) },
      levels: unit.agaw.map { $0 + 2 }, ignored: unit.ignored, includeAll: unit.includeAll,
      scope: unit.scope, inherited: unit.translationPreEnabled,
      copiedContexts: unit.copiedContexts.map {
        .pci(
          PCIFunction(
            segment: unit.segment, bus: UInt8($0 >> 8), devfn: UInt8(truncatingIfNeeded: $0)))
      },
      invalidationQueue: unit.invalidationQueue.map {
        InvalidationQueue(
          base: $0.base, entries: $0.count, descriptorSize: $0.descriptorSize,
          freeHead: $0.freeHead, freeTail: $0.freeTail, pending: $0.pending.count)
      }, hostAddressWidth: kernel.hostAddressWidth)
    made.interruptRemapping = unit.interruptRemapping.map { interruptRemapping($0, of: made) }
    return made
  }

  /// Reads an interrupt-remapping table as the hardware would.
  private mutating func interruptRemapping(
    _ table: LinuxInterruptRemapping, of unit: Unit
  ) -> InterruptRemapping {
    var sources: Set<UInt16>?
    // With a gap in the tree of devices, nobody can be said not to exist.
    if let others = kernel.interruptSources,
      !kernel.problems.contains(where: \.structure.isPartOfPCITree)
    {
      sources = unit.kernelObject.flatMap { others[$0] } ?? []
      for device in kernel.devices {
        for function in [device.name.function].compactMap(\.self) + device.aliases
        where function.segment == unit.segment || function.isBehindVMD {
          sources?.insert(function.sourceID)
        }
      }
    }
    var reader = InterruptTableReader(
      memory, sources: sources, unit: unit.yardstick, name: unit.name)
    let result = reader.read(table)
    observations += reader.observations
    return result
  }
}

extension Observation {
  init(_ other: LinuxOtherUnit) {
    guard let object = other.kernelObject else {
      self.init(
        .otherDriver, structure: .kernel(.group),
        detail: "devices have one, of another driver than VT-d's; what it translates is not read")
      return
    }
    self.init(
      .otherDriver, structure: .kernel(.otherUnit, number: other.name ?? "without a name"),
      address: HexWord(object.rawValue),
      detail: "a remapping unit of another driver than VT-d's; what it translates is not read")
  }

  init(_ problem: LinuxProblem) {
    self.init(
      problem.cause == .budget ? .budget : problem.absence == nil ? .malformed : .unreadable,
      unit: problem.unit,
      device: problem.device, structure: .kernel(problem.structure, number: problem.number),
      address: problem.address.map { HexWord($0.rawValue) }, cause: problem.cause,
      detail: problem.message)
  }
}
