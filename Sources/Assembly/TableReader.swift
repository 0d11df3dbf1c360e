// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import VTd

/// Reads the contexts of units as the hardware would, and keeps what was met on the way.
struct TableReader {
  let memory: any PhysicalMemory
  let work: WorkBudget
  private(set) var observations: [Observation] = []
  /// The tables behind each context that was read.
  private var spaces: [Place: AddressSpace] = [:]

  fileprivate struct Place: Hashable {
    var unit: String
    var device: PCIFunction
    var pasid: UInt32?
  }

  init(_ memory: any PhysicalMemory, _ work: WorkBudget) {
    self.memory = memory
    self.work = work
  }

  /// The tables that requests of a context are looked up in; `nil` if nothing is translated.
  func space(of context: Context) -> AddressSpace? { spaces[Place(context)] }

  /// Every present context of the unit, by device and PASID; none if it has no root table.
  mutating func contexts(of unit: Unit) -> [Context] {
    guard let root = unit.rootTable else { return [] }
    let reading = TranslationTables(
      memory: memory, rootTable: root, mode: unit.tableMode,
      capabilities: unit.yardstick, work: work
    ).read()
    if let part = reading.exhausted {
      work.cut(part.work, "the reading of root, context and PASID tables", unit: unit.name)
    }
    for obstacle in reading.obstacles { observations.append(Observation(obstacle, unit: unit)) }
    if reading.obstaclesDropped > 0 {
      observations.append(
        Observation(
          .budget, unit: unit.name, structure: .contexts,
          detail: "further obstacles are not listed", count: reading.obstaclesDropped))
    }
    return reading.paths.map { path in
      let context = Context(path, unit: unit)
      spaces[Place(context)] = path.addressSpace
      return context
    }.sorted {
      ($0.device, $0.pasid.map(UInt64.init) ?? .max) < (
        $1.device, $1.pasid.map(UInt64.init) ?? .max
      )
    }
  }
}

extension TableReader.Place {
  fileprivate init(_ context: Context) {
    self.init(unit: context.unit, device: context.device, pasid: context.pasid)
  }
}

extension Context {
  init(_ path: ContextPath, unit: Unit) {
    self.init(
      unit: unit.name,
      device: PCIFunction(segment: unit.segment, bus: path.bus, devfn: path.devfn),
      pasid: path.pasid, translation: path.kind,
      domainID: path.domainID.map(UInt32.init), levels: path.levels, table: path.table,
      faultProcessingDisabled: path.faultProcessingDisabled, raw: path.words.map { HexWord($0) },
      entry: path.entry,
      secondStage: path.secondStage.map { StageTable(table: $0.table, levels: $0.levels) },
      servesRequestsWithoutPASID: path.servesRequestsWithoutPASID,
      refusal: path.refusal.map { refusal in
        Refusal(
          detail: refusal.description,
          faultReason: HexWord(
            UInt64(refusal.faultReason(isScalable: unit.tableMode == .scalable).rawValue)))
      })
  }
}

extension Observation {
  init(_ obstacle: ContextObstacle, unit: Unit) {
    let device = obstacle.bus.flatMap { bus in
      obstacle.devfn.map {
        DeviceName.pci(PCIFunction(segment: unit.segment, bus: bus, devfn: $0))
      }
    }
    let problem: ObservedProblem =
      switch obstacle.kind {
      case .unreadable(let error): .unreadable(error.absence, error.absence.description)
      case .assumedZero: .assumedZero(for: "zeros")
      case .reservedBits(let mask): .reservedBits(mask.description)
      case .violations(let violations):
        .init(
          .reservedBits, cause: .impossibleField,
          violations.map(\.description).joined(separator: "; "))
      case .shared(let firstBus):
        .init(.alias, "the page is also used for bus \(firstBus.hexadecimalDigits)")
      case .budgetExhausted(let part):
        .init(.budget, "more \(part.rawValue) than a unit can have; the rest was not read")
      }
    self.init(
      problem.kind, unit: unit.name, device: device,
      structure: .table(obstacle.structure, bus: obstacle.bus),
      address: HexWord(obstacle.address.rawValue), cause: problem.cause, detail: problem.detail)
  }
}

extension UInt8 {
  fileprivate var hexadecimalDigits: String {
    (self < 16 ? "0" : "") + String(self, radix: 16)
  }
}
