// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState
public import TableCopy
import VTd

/// Executes policies on the tables of one dump and tells what each device would meet.
public struct Forecaster {
  let state: RemappingState
  let memory: any PhysicalMemory
  let facts: MachineFacts
  let options: ForecastOptions
  let traits: CrashKernelTraits
  let classes: MemoryClasses
  let spaces: MappedSpaces
  let devices: [DeviceFacts]
  /// Frames of the old tables.
  let oldTables: [UInt64]
  /// What the walks behind the state found of the old tables.
  let walked: WalkedSpaces
  let budget: CopyBudget
  /// Which devices a live update preserves.
  let liveUpdate: LiveUpdateChoice
  private let changed = ChangedPagesMemo()

  /// - Parameters:
  ///   - errors: devices with an error finding; a policy that keeps their mappings is never safe.
  public init(
    _ state: RemappingState, memory: any PhysicalMemory, facts: MachineFacts,
    options: ForecastOptions = ForecastOptions(), errors: Set<DeviceName> = [],
    budget: CopyBudget = CopyBudget()
  ) {
    self.state = state
    self.memory = memory
    self.facts = facts
    var options = options
    if options.commandLine.words.isEmpty, let found = facts.commandLine {
      options.commandLine = found
    }
    self.options = options
    self.budget = budget
    var traits = facts.traits
    if let variant = options.variant {
      traits.variant = variant
      traits.isAmbiguous = false
    }
    self.traits = traits
    var tables = TableInventory()
    var walked = WalkedSpaces()
    let domains = Dictionary(
      state.domains.lazy.filter { !$0.devices.isEmpty }.map { ($0.key, $0) },
      uniquingKeysWith: { a, _ in a })
    for unit in state.units {
      guard let source = TranslationTables(unit, memory) else { continue }
      let reading = tables.add(source, of: unit.name, budget: budget)
      walked.add(domains, of: unit, source.capabilities, reading)
    }
    self.walked = walked
    oldTables = tables.frames
    classes = MemoryClasses(facts, tables: oldTables)
    var spaces = MappedSpaces(state, classes: classes)
    devices = DeviceFacts.all(
      of: state, facts: facts, options: options, errors: errors, spaces: &spaces)
    self.spaces = spaces
    liveUpdate = LiveUpdateChoice(state, facts: facts, asked: options.preserved)
  }

  /// One policy, executed: the forecast and the tables behind it.
  public struct Run {
    public var forecast: PolicyForecast
    /// The new tables as a file that can be read like a dump.
    public var image: TableImage
  }

  public func forecast() -> Forecast { forecast { _ in }.forecast }

  /// Every policy that was asked for, executed one by one.
  ///
  /// - Parameters:
  ///   - kept: whose tables are wanted as a file; it is run even if nobody asked for its forecast.
  ///   - takeover: what a real crash kernel did, to be held against `linux`.
  ///   - begin: is told each policy before it is run.
  public func forecast(
    keepingTablesOf kept: Policy? = nil, beside takeover: CrashTakeover? = nil,
    begin: (Policy) -> Void
  ) -> (forecast: Forecast, tables: TableImage?) {
    var tables: TableImage?
    var policies: [PolicyForecast] = []
    for policy in options.policies {
      begin(policy)
      let run = run(policy)
      policies.append(run.forecast)
      if policy == kept { tables = run.image }
    }
    if let kept, tables == nil { tables = run(kept).image }
    let linux = policies.first { $0.policy == .linux } ?? run(.linux).forecast
    let observed = takeover.map { observe($0, against: linux) }
    let forecast = Forecast(
      crashKernel: summary, inherited: inherited, observed: observed, policies: policies,
      liveUpdate: policies.first { $0.policy == .liveUpdate }.map(liveUpdateForecast),
      recommendation: Recommendation.best(of: policies, known: facts.knownRoads),
      changedAfterPanic: changedAfterPanic, outlook: outlook(linux))
    return (forecast, tables)
  }

  // MARK: One policy

  public func run(_ policy: Policy) -> Run {
    let plan = PolicyPlan.plan(policy)
    var copier = TableCopier(
      base: TableArena.base(beside: facts.memoryFrames), budget: budget, walked: walked)
    var units: [UnitForecast] = []
    var switched: [String: SwitchedUnit] = [:]
    var roots: [TableImage.Root] = []
    for unit in state.units {
      let result = takeOver(unit, plan, &copier)
      units.append(result.forecast)
      switched[unit.name] = result.switched
      if let root = result.switched.rootTable {
        roots.append(
          TableImage.Root(
            unit: unit.name, segment: unit.segment, rootTable: root,
            mode: unit.tableMode.rawValue, capability: unit.capability.rawValue,
            extendedCapability: unit.extendedCapability.rawValue))
      }
    }
    var forecasts: [DeviceForecast] = []
    for device in devices {
      forecasts.append(forecast(of: device, plan, unit(of: device).flatMap { switched[$0] }))
    }
    let changing = changing(forecasts)
    let isWhole = unknownUnits == nil && unknownDevices == nil
    let verdict = max(forecasts.map(\.verdict).max() ?? .safe, isWhole ? .safe : .risky)
    let cost = MemoryCost(copier.arena.pages)
    let forecast = PolicyForecast(
      policy: policy, units: units, devices: forecasts, verdict: verdict,
      reasons: reasons(plan, units, forecasts, cost), memory: cost,
      dumpStable: isWhole && changing.pages == 0 && changing.anywhere.isEmpty, changing: changing)
    return Run(
      forecast: forecast,
      image: TableImage(
        copier.arena, roots: roots, keeping: plan.tables == .everything ? [] : oldTables,
        of: copier.edits.isEmpty ? memory : EditedMemory(copier.edits, over: memory)))
  }

  /// The unit of a device; of one of which the dump lacks all, one of its segment that translates.
  private func unit(of device: DeviceFacts) -> String? {
    if device.unit != nil || device.lack != .context { return device.unit }
    return state.units.first {
      $0.segment == device.function.segment && $0.translationEnabled == true
    }?.name
  }

  // MARK: The document's frame

  private var summary: CrashKernelSummary {
    CrashKernelSummary(
      variant: traits.variant, variantFrom: options.variant == nil ? "types" : "option",
      isAmbiguous: traits.isAmbiguous,
      commandLine: options.commandLine.words.joined(separator: " "),
      effects: options.commandLine.effects, notModelled: options.commandLine.notModelled,
      drivers: options.drivers, strict: options.strict,
      reservations: facts.reservations.map {
        CrashKernelSummary.Reservation(
          kind: $0.kind, start: HexWord($0.range.lowerBound), end: HexWord($0.range.upperBound),
          bytes: AddressRanges([$0.range]).bytes)
      },
      kernelText: facts.kernelText.map(ForecastRange.init), gaps: facts.gaps)
  }

  /// Contexts that this dump's kernel had itself inherited.
  private var inherited: [InheritedContext] {
    var result: [InheritedContext] = []
    for unit in state.units {
      if !unit.copiedContexts.isEmpty {
        result += unit.copiedContexts.compactMap(\.function).map {
          InheritedContext(unit: unit.name, device: $0, by: "bitmap")
        }
      } else if traits.variant == .v1, unit.tableMode != .scalable {
        // Bit 67 is the crash kernel's mark; nothing else sets it in legacy mode.
        result += state.contexts.filter {
          $0.unit == unit.name && $0.raw.count >= 2 && $0.raw[1].rawValue[bit: 3]
        }.map { InheritedContext(unit: unit.name, device: $0.device, by: "marker") }
      }
    }
    return result
  }

  private var changedAfterPanic: ChangedPages {
    let live = devices.filter(\.inFlight).flatMap(\.spaces).filter { spaces[$0].inFlight }
    return changedPages(
      Set(live),
      anywhere: devices.filter(\.situation.hasPhysicalAddresses).map(\.name))
  }

  private func changing(_ forecasts: [DeviceForecast]) -> ChangedPages {
    var live: Set<Int> = []
    var anywhere: [DeviceName] = []
    for (device, forecast) in zip(devices, forecasts) {
      for (fact, pasid) in zip(device.pasids, forecast.pasids) where pasid.at.t4 == .translated {
        if let space = fact.space, spaces[space].inFlight { live.insert(space) }
      }
      switch forecast.at.t4 {
      case .translated: live.formUnion(device.ownSpaces.filter { spaces[$0].inFlight })
      case .passThrough, .physical: anywhere.append(device.name)
      case .remapped, .blocked, .silent: break
      }
    }
    return changedPages(live, anywhere: anywhere)
  }

  /// What devices write to through some spaces, and those that may write anywhere.
  private func changedPages(_ live: Set<Int>, anywhere: [DeviceName]) -> ChangedPages {
    var changed = changed.pages(live) {
      let memory = live.map { spaces[$0].writableMemory }
      return memory.count == 1
        ? memory[0] : AddressRanges(memory.lazy.flatMap(\.ranges))
    }
    changed.anywhere = anywhere
    return changed
  }
}

/// What was found of spaces that stay in force: most policies leave the same ones, which may have
/// millions of ranges.
final class ChangedPagesMemo {
  private var known: [Set<Int>: ChangedPages] = [:]

  func pages(_ spaces: Set<Int>, _ ranges: () -> AddressRanges) -> ChangedPages {
    if let pages = known[spaces] { return pages }
    let pages = ChangedPages(ranges(), anywhere: [])
    known[spaces] = pages
    return pages
  }
}

extension ChangedPages {
  init(_ ranges: AddressRanges, anywhere: [DeviceName]) {
    let pages = AddressRanges(
      ranges.ranges.map { ($0.lowerBound & ~0xfff)...($0.upperBound | 0xfff) })
    self.init(
      pages: pages.pages, ranges: pages.ranges.map(ForecastRange.init), anywhere: anywhere)
  }
}

extension MemoryCost {
  init(_ pages: [TableKind: Int]) {
    let count = pages.values.reduce(0, +)
    self.init(
      bytes: UInt64(count) << 12, pages: count,
      levels: pages.sorted { $0.key < $1.key }.map { Level(kind: $0.key.name, pages: $0.value) })
  }
}

extension TranslationTables {
  /// `nil` for a unit without a root table.
  init?(_ unit: Unit, _ memory: any PhysicalMemory) {
    guard let root = unit.rootTable else { return nil }
    self.init(
      memory: memory, rootTable: root, mode: unit.tableMode,
      capabilities: unit.yardstick)
  }
}
