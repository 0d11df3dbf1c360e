// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
public import Memory
public import RemappingState
internal import VTd

extension RemappingState {
  /// The state that root tables alone tell: contexts and mappings, and nothing of a kernel.
  ///
  /// Units are named after the root's origin and number, `carved0` or `given0`, unless registers name
  /// them. Where there are none, CAP and ECAP are 0, and only bits count as reserved that no unit allows.
  ///
  /// - Parameters:
  ///   - dump: what the report says about the dump itself.
  ///   - memory: where the tables are.
  ///   - roots: by rank; their order is that of the units.
  ///   - work: the run that pays for it.
  public init(
    _ dump: DumpSummary, memory: any PhysicalMemory, roots: [RootTable],
    work: WorkBudget = WorkBudget()
  ) {
    let units = roots.enumerated().map { index, root in
      let registers = root.registers
      return Unit(
        name: registers?.unit ?? "\(root.origin.rawValue)\(index)", segment: 0,
        registerBase: registers?.registerBase ?? PhysicalAddress(0),
        capability: registers?.capability ?? 0,
        extendedCapability: registers?.extendedCapability ?? 0, tableMode: root.mode,
        translationEnabled: registers?.status(bit: 31),
        interruptRemappingEnabled: registers?.status(bit: 25),
        rootTable: root.address.pageBase, rootFrom: root.origin,
        domainIDs: DomainIDs(supported: 0, used: nil))
    }
    var contexts: [Context] = []
    var tables = TableReader(memory, work)
    for unit in units { contexts += tables.contexts(of: unit) }
    var walker = DomainWalker(memory, work: work)
    walker.plan(
      contexts.lazy.filter { $0.translation != .none }.compactMap {
        tables.space(of: $0).map { ($0, nil) }
      })
    var domains: [Domain] = []
    var rows: [DomainKey: Int] = [:]
    for context in contexts where context.translation != .none {
      let key = context.domainKey
      if let row = rows[key] {
        if domains[row].devices.last != .pci(context.device) {
          domains[row].devices.append(.pci(context.device))
        }
        continue
      }
      rows[key] = domains.count
      var domain = Domain(
        unit: context.unit, domainID: context.domainID, table: context.table,
        levels: context.levels, devices: [.pci(context.device)])
      switch context.translation {
      case .secondStage: domain.stage = .second
      case .firstStage, .nested: domain.stage = .first
      case .passThrough, .none: break
      }
      if let space = tables.space(of: context) {
        let result = walker.walk(
          space, unit: nil, domainID: context.domainID, unitName: context.unit)
        domain.mapping = result.mapping
        domain.walk = result.summary
        // Nothing tells which ranges are fixed ones.
        domain.inFlight = context.refusal == nil && !result.mapping.runs.isEmpty
      }
      domains.append(domain)
    }
    let rank = Dictionary(
      units.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    func order(_ row: Domain) -> (Int, UInt64, UInt64) {
      (
        row.unit.flatMap { rank[$0] } ?? .max, row.domainID.map(UInt64.init) ?? .max,
        row.table?.rawValue ?? .max
      )
    }
    self.init(
      dump: dump, units: units, contexts: contexts,
      domains: domains.sorted { order($0) < order($1) },
      observations: tables.observations + walker.observations, cuts: work.cuts)
    let given = roots.compactMap(\.registers)
    if !given.isEmpty {
      registers = zip(units, roots).compactMap { unit, root in
        root.registers.map { registers in
          var registers = registers
          registers.unit = unit.name
          return registers
        }
      }
    }
  }
}
