// SPDX-License-Identifier: Apache-2.0

public import Evidence
public import Memory
internal import RemappingState

extension DeviceView {
  /// What a dump tells of one device.
  ///
  /// - Parameter name: a device that the kernel knew, or any source id that a context or another
  ///   device's alias names.
  /// - Returns: `nil` where the dump tells nothing of it at all.
  public init?(of name: DeviceName, in evidence: DumpEvidence) {
    let state = evidence.state
    let known = state.devices.first { $0.device == name }
    let ids = ([name] + (known?.aliases ?? [])).compactMap(\.function)
    let contexts = state.contexts.filter { ids.contains($0.device) }
    let isAlias = state.devices.contains { $0.aliases.contains(name) }
    guard known != nil || !contexts.isEmpty || isAlias else { return nil }
    // Where the kernel does not know the device, a context tells the unit.
    let unit = state.units.first { $0.name == known?.unit ?? contexts.first?.unit }
    self.init(
      device: name, pciID: known?.pciID, driver: known?.driver, group: known?.group,
      unit: unit?.name, translationEnabled: unit?.translationEnabled)
    domainType = known?.domain.flatMap { object in
      state.domains.first { $0.kernelObject == object }?.type
    }
    sourceIDs = ids.map { Self.sourceID($0, in: contexts, of: state, on: unit) }
    let domains = Self.domains(of: contexts, in: state)
    let own = Set(ids.map(DeviceName.pci))
    spaces = domains.map { Self.space($0.domain, $0.context, except: own) }
    let reader = ReachReader(
      evidence, of: name, spaces: spaces, domains: domains.map(\.domain), unit: unit,
      sourceIDs: sourceIDs)
    (reach, pages) = reader.answers()
  }

  private static func sourceID(
    _ id: PCIFunction, in contexts: [Context], of state: RemappingState, on unit: Unit?
  ) -> SourceID {
    let own = contexts.filter { $0.device == id }
    let plain = own.first(where: \.servesRequestsWithoutPASID)
    let pasids = own.filter { !$0.servesRequestsWithoutPASID }.compactMap(\.pasid)
    guard own.isEmpty else {
      return SourceID(
        sourceID: id, context: .present, translation: plain?.translation ?? Translation.none,
        domainID: plain?.domainID, pasids: pasids)
    }
    let isProven = unit.map { $0.rootTable != nil && state.contextsAreKnown(on: $0.name) } ?? false
    return SourceID(sourceID: id, context: isProven ? .absent : .notKnown)
  }

  /// The rows that the contexts lead to, each once, in the order of the contexts.
  private static func domains(
    of contexts: [Context], in state: RemappingState
  ) -> [(domain: Domain, context: Context)] {
    var rows: [(domain: Domain, context: Context)] = []
    var seen: Set<Int> = []
    for context in contexts {
      let index = state.domains.firstIndex {
        $0.unit == context.unit && $0.domainID == context.domainID
          && ($0.table == context.table || context.translation == .passThrough)
      }
      guard let index, seen.insert(index).inserted else { continue }
      rows.append((state.domains[index], context))
    }
    return rows
  }

  private static func space(
    _ domain: Domain, _ context: Context, except own: Set<DeviceName>
  ) -> Space {
    var space = Space(
      unit: domain.unit, domainID: domain.domainID, type: domain.type, stage: domain.stage,
      table: domain.table, levels: domain.levels,
      isPassThrough: context.translation == .passThrough,
      others: domain.devices.filter { !own.contains($0) })
    guard let mapping = domain.mapping else { return space }
    space.bytes = mapping.bytes
    space.distinctPages = AddressRanges(mapping.runs.lazy.map(\.targets)).pages
    space.windows = windows(mapping.runs)
    if let walk = domain.walk { space.isWhole = walk.unreadable == 0 && !walk.budgetExhausted }
    return space
  }

  /// - Parameter runs: by address.
  static func windows(_ runs: [Run]) -> [Window] {
    var windows: [Window] = []
    for run in runs {
      let (start, end) = (run.addresses.lowerBound, run.addresses.upperBound)
      if var last = windows.last, start >= last.end.rawValue,
        start - last.end.rawValue - (start == last.end.rawValue ? 0 : 1) < Window.gap
      {
        last.end = max(last.end, IOVirtualAddress(end))
        let (sum, overflow) = last.bytes.addingReportingOverflow(run.length.rawValue)
        last.bytes = overflow ? .max : sum
        last.runs += 1
        last.isReadable = last.isReadable || run.access != .write
        last.isWritable = last.isWritable || run.access != .read
        windows[windows.count - 1] = last
      } else {
        windows.append(
          Window(
            start: run.iova, end: IOVirtualAddress(end), bytes: run.length.rawValue, runs: 1,
            isReadable: run.access != .write, isWritable: run.access != .read))
      }
    }
    return windows
  }
}

extension RemappingState {
  /// Whether every root, context and PASID table of `unit` was read, so that an entry that was not
  /// found really is not there.
  fileprivate func contextsAreKnown(on unit: String) -> Bool {
    !observations.contains { observation in
      (observation.unit == nil || observation.unit == unit)
        && [.unreadable, .assumedZero, .budget, .cycle].contains(observation.kind)
        && observation.structure.isContextStructure
    }
  }
}
