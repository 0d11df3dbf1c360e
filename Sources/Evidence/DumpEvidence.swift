// SPDX-License-Identifier: Apache-2.0

public import KernelImage
public import LinuxIOMMU
public import Memory
public import RemappingState
public import VTd

/// What every investigation starts from: the state of one dump, and the memory it was read from.
///
/// The state names root tables, devices and domains; the memory is asked again for single entries,
/// because a state carries runs and not entries.
public struct DumpEvidence {
  public var state: RemappingState {
    didSet { lazyIndex = LazyEvidenceIndex() }
  }
  public var memory: any PhysicalMemory
  /// `nil` where the kernel's structures were not, or could not be, read.
  public var kernel: KernelEvidence? {
    didSet { lazyIndex = LazyEvidenceIndex() }
  }
  /// What the kernel's log is read with, which is more often there than its structures; `nil` where
  /// nobody looked for a kernel.
  public var log: KernelImage?
  /// The run that pays for what is read.
  public let work: WorkBudget
  private var lazyIndex = LazyEvidenceIndex()
  private var index: EvidenceIndex { lazyIndex.index(of: state, kernel?.structures) }

  public init(
    state: RemappingState, memory: any PhysicalMemory, kernel: KernelEvidence? = nil,
    log: KernelImage? = nil, work: WorkBudget = WorkBudget()
  ) {
    self.state = state
    self.memory = memory
    self.kernel = kernel
    self.log = kernel?.image ?? log
    self.work = work
  }

  /// Where work ended early, for the state and since then.
  public var cuts: [Cut] { state.cuts + work.cuts.filter { !state.cuts.contains($0) } }

  /// The unit of that name.
  public func unit(_ name: String) -> Unit? {
    state.units.first { $0.name == name }
  }

  /// The units that requests of `device` may come to, most likely first.
  ///
  /// The one where a context has the source id, then the one that the kernel names for the device,
  /// then every unit of the segment that has a root table: where nothing else tells, any of them
  /// may be the one. A unit that does not translate needs no root table to be a device's; where scopes do
  /// not name it, it comes into question only if no other one does.
  public func units(of device: PCIFunction) -> [Unit] {
    if let name = index.unitOfContext[device], let unit = unit(name) {
      return [unit]
    }
    if let name = self.device(device)?.unit, let unit = unit(name) {
      return [unit]
    }
    let segment = state.units.filter {
      $0.segment == device.segment && ($0.rootTable != nil || $0.translationEnabled == false)
    }
    let scoped = segment.filter { $0.scope.contains(.pci(device)) }
    if !scoped.isEmpty { return scoped }
    let general = segment.filter { $0.includeAll != false }
    let found = general.isEmpty ? segment : general
    let rooted = found.filter { $0.rootTable != nil }
    return rooted.isEmpty ? found : rooted
  }

  /// PCI functions that Linux has and remapping has no record of, because the unit that their requests come
  /// to does not translate, by the name of that unit, or because there is no unit (`nil`); in order.
  public var untranslatedFunctions: [String?: [PCIFunction]] {
    let hasNoUnit = state.hasNoUnit
    guard hasNoUnit || state.units.contains(where: { $0.translationEnabled == false }) else {
      return [:]
    }
    let all = (kernel?.structures.devices ?? []).compactMap(\.name.function).sorted()
    guard !hasNoUnit else { return [nil: all] }
    var functions: [String?: [PCIFunction]] = [:]
    for function in all where device(function) == nil {
      guard let unit = units(of: function).first, unit.translationEnabled == false else { continue }
      functions[unit.name, default: []].append(function)
    }
    return functions
  }

  /// The tables below a unit's root; `nil` if no root is known.
  public func tables(of unit: Unit) -> TranslationTables? {
    unit.rootTable.map {
      TranslationTables(
        memory: memory, rootTable: $0, mode: unit.tableMode,
        capabilities: unit.yardstick, work: work)
    }
  }

  /// A walk through the address space that a path leads to; `nil` if nothing is translated there.
  public func walk(_ path: ContextPath, unit: Unit) -> PageTableWalk? {
    path.addressSpace.map {
      PageTableWalk(
        memory: memory, space: $0, unit: unit.knownCapabilities, work: work)
    }
  }

  /// The domain row that a path belongs to.
  public func domain(_ path: ContextPath, unit: Unit) -> Domain? {
    index.domains[
      DomainKey(unit: unit.name, domainID: path.domainID.map(UInt32.init), table: path.table)
    ].map { state.domains[$0] }
  }

  /// Runs that the tables behind a context map; `nil` if no domain row is known for it.
  public func runCount(of context: Context) -> Int? {
    index.domains[context.domainKey].map { state.domains[$0].mapping?.runs.count ?? 0 }
  }

  /// The device that remapping knows by that source id.
  public func device(_ function: PCIFunction) -> Device? {
    index.devices[function].map { state.devices[$0] }
  }

  /// The kernel's record of the device with that source id or alias, be it one that remapping knows or not.
  private func kernelDevice(_ function: PCIFunction) -> LinuxDevice? {
    guard let devices = kernel?.structures.devices else { return nil }
    return index.kernelDevices[function].map { devices[$0] }
  }

  /// The driver of the device with that source id, be it one that remapping knows or not; `nil` where it has
  /// none or that is not known.
  public func driver(of function: PCIFunction) -> String? {
    device(function).map(\.driver) ?? kernelDevice(function)?.driver
  }

  /// Whether Linux has a device of that source id or alias, be it one that remapping knows or not; `nil`
  /// where not all devices could be read.
  public func knows(_ function: PCIFunction) -> Bool? {
    if device(function) != nil || kernelDevice(function) != nil { return true }
    let isEmpty = kernel?.structures.devices.isEmpty != false && state.devices.isEmpty
    return isEmpty || !state.devicesAreComplete ? nil : false
  }
}

/// The kernel behind a state, for questions that the state does not answer.
public struct KernelEvidence {
  public var image: KernelImage
  /// The structures that the state was assembled from.
  public var structures: LinuxIOMMU

  public init(_ image: KernelImage, _ structures: LinuxIOMMU) {
    self.image = image
    self.structures = structures
  }
}
