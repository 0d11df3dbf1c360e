// SPDX-License-Identifier: Apache-2.0

public import Evidence
public import Memory
public import RemappingState
public import VTd

/// The entries of one unit's tables down to the contexts, as they were read.
public struct UnitEntries: Hashable, Sendable {
  public var unit: String
  public var mode: TableMode
  public var rootTable: PhysicalAddress
  /// Present root entries, context entries, PASID directory entries and PASID entries.
  public var entries: [Row]
  /// Present entries of the interrupt remapping table; `nil` unless asked for.
  public var interrupts: [InterruptRow]?
  /// What could not be read on the way.
  public var obstacles: [String]

  public struct Row: Hashable, Sendable {
    public var bus: UInt8?
    /// Of context entries and PASID entries.
    public var device: PCIFunction?
    public var pasid: UInt32?
    public var entry: DecodedEntry
  }

  public struct InterruptRow: Hashable, Sendable {
    /// Handle: index into the table.
    public var index: Int
    public var entry: DecodedEntry
  }
}

/// The entries of the page tables behind one context.
public struct DeviceEntries: Hashable, Sendable {
  public var unit: String
  public var device: PCIFunction
  public var pasid: UInt32?
  /// From the root entry to the entry that names the table.
  public var path: [DecodedEntry]
  /// What the path leads to, half a sentence.
  public var translation: String
  public var levels: Int?
  public var table: PhysicalAddress?
  /// Present entries, depth first, I/O virtual addresses ascending.
  public var entries: [Row]
  /// Whether entries were left out because there are too many.
  public var isCut: Bool
  /// What the walk could not go through.
  public var obstacles: [String]

  public struct Row: Hashable, Sendable {
    /// First address that the entry stands for.
    public var iova: IOVirtualAddress
    public var leaf: Bool
    public var entry: DecodedEntry
  }
}

/// Lists raw entries.
public struct TableLister {
  public var evidence: DumpEvidence
  /// An entry takes about as much memory as four runs.
  private static let rowsOfEntry = 4

  public init(_ evidence: DumpEvidence) {
    self.evidence = evidence
  }

  /// The entries of a unit; `nil` if it has no root table.
  ///
  /// - Parameter interrupts: whether to list the interrupt remapping table as well.
  public func tables(of unit: Unit, interrupts: Bool = false) -> UnitEntries? {
    guard let tables = evidence.tables(of: unit) else { return nil }
    let reading = tables.read()
    if let part = reading.exhausted {
      evidence.work.cut(
        part.work, "the listing of root, context and PASID entries", unit: unit.name)
    }
    var result = UnitEntries(
      unit: unit.name, mode: unit.tableMode, rootTable: tables.rootTable, entries: [],
      obstacles: reading.obstacles.map { "\($0.structure.rawValue) at \($0.address): \($0.kind)" })
    for root in reading.roots {
      result.entries.append(
        UnitEntries.Row(
          bus: root.bus,
          entry: DecodedEntry(
            structure: root.half.map { "root entry, \($0 == 0 ? "lower" : "upper") half" }
              ?? "root entry", address: root.entry, words: root.words,
            layout: tables.mode.rootLayout)))
    }
    func device(_ bus: UInt8, _ devfn: UInt8) -> PCIFunction {
      PCIFunction(segment: unit.segment, bus: bus, devfn: devfn)
    }
    let contextLayout = tables.mode.contextLayout
    for context in reading.contexts {
      result.entries.append(
        UnitEntries.Row(
          bus: context.bus, device: device(context.bus, context.devfn),
          entry: DecodedEntry(
            structure: "context entry", address: context.entry, words: context.words,
            layout: contextLayout)))
    }
    for entry in reading.directoryEntries {
      result.entries.append(
        UnitEntries.Row(
          pasid: UInt32(clamping: entry.index * 64),
          entry: DecodedEntry(
            structure: "PASID directory entry", address: entry.entry, words: [entry.word],
            layout: PASIDDirectoryEntry.layout)))
    }
    for path in reading.paths where path.words.count == 8 {
      result.entries.append(
        UnitEntries.Row(
          bus: path.bus, device: device(path.bus, path.devfn), pasid: path.pasid,
          entry: DecodedEntry(
            structure: "PASID entry", address: path.entry, words: path.words,
            layout: PASIDEntry.layout)))
    }
    if interrupts { result.interrupts = interruptRows(of: unit) }
    return result
  }

  private func interruptRows(of unit: Unit) -> [UnitEntries.InterruptRow] {
    var rows: [UnitEntries.InterruptRow] = []
    forEachInterrupt(of: unit) { index, entry, address in
      rows.append(
        UnitEntries.InterruptRow(
          index: index, entry: DecodedEntry(interrupt: entry, at: address)))
    }
    return rows
  }

  /// Calls `body` for each present entry of the unit's interrupt remapping table.
  ///
  /// - Returns: pages of the table that cannot be read.
  @discardableResult
  public func forEachInterrupt(
    of unit: Unit, _ body: (Int, InterruptRemapEntry, PhysicalAddress) -> Void
  ) -> Int {
    guard let remapping = unit.interruptRemapping, let base = remapping.table else { return 0 }
    let perPage = Page.size / InterruptRemapEntry.byteCount
    var missing = 0
    for first in stride(from: 0, to: max(0, min(remapping.entries, 65536)), by: perPage) {
      guard let start = base.advanced(by: UInt64(first) * 16),
        let (page, _) = try? evidence.memory.pageOrAssumedZero(start.frame)
      else {
        missing += 1
        continue
      }
      for slot in 0..<perPage where page[word: 2 * slot][bit: 0] {
        let address = PhysicalAddress(start.rawValue | UInt64(slot) << 4)
        body(first + slot, InterruptRemapEntry(page: page, word: 2 * slot), address)
      }
    }
    return missing
  }

  /// The entries behind the context of one device; `nil` if its unit is not known.
  public func tables(of device: PCIFunction, pasid: UInt32?) -> DeviceEntries? {
    for unit in evidence.units(of: device) {
      guard let tables = evidence.tables(of: unit) else { continue }
      let trace = tables.lookUp(bus: device.bus, devfn: device.devfn, pasid: pasid)
      var result = DeviceEntries(
        unit: unit.name, device: device, pasid: pasid, path: trace.steps.map { DecodedEntry($0) },
        translation: trace.ending.description, entries: [], isCut: false, obstacles: [])
      guard let path = trace.path, let walk = evidence.walk(path, unit: unit) else { return result }
      var collector = EntryCollector(
        stage: walk.space.stage, limit: evidence.work.left(.runs) / Self.rowsOfEntry)
      let statistics = walk.run(&collector)
      let listing = "the listing of page table entries"
      evidence.work.note(statistics, listing, unit: unit.name, device: .pci(device))
      evidence.work.spend(.runs, collector.rows.count * Self.rowsOfEntry)
      if collector.isCut {
        evidence.work.cut(.runs, listing, unit: unit.name, device: .pci(device))
      }
      result.levels = path.levels
      result.table = path.table
      result.entries = collector.rows
      result.isCut = collector.isCut
      result.obstacles = collector.obstacles
      return result
    }
    return nil
  }
}

/// Keeps the entries that a walk meets.
private struct EntryCollector: PagingVisitor {
  let stage: Stage
  let limit: Int
  var rows: [DeviceEntries.Row] = []
  var obstacles: [String] = []
  var isCut = false

  init(stage: Stage, limit: Int) {
    self.stage = stage
    self.limit = limit
  }

  mutating func branch(_ branch: PagingBranch) -> WalkDecision {
    add(branch.iova, branch.entry, branch.word, level: branch.level, isLeaf: false)
    return isCut ? .stop : .enter
  }

  mutating func leaf(_ leaf: PagingLeaf) {
    guard leaf.piece == 0 else { return }
    add(leaf.iova, leaf.entry, leaf.word, level: leaf.level, isLeaf: true)
  }

  mutating func obstacle(_ obstacle: PagingObstacle) {
    guard obstacles.count < 256 else { return }
    obstacles.append("level \(obstacle.level), IOVA \(obstacle.iova): \(obstacle.kind)")
  }

  private mutating func add(
    _ iova: IOVirtualAddress, _ entry: PhysicalAddress, _ word: UInt64, level: Int, isLeaf: Bool
  ) {
    guard rows.count < limit else {
      isCut = true
      return
    }
    rows.append(
      DeviceEntries.Row(
        iova: iova, leaf: isLeaf,
        entry: DecodedEntry(
          structure: stage.entryName, level: level, address: entry, words: [word],
          layout: stage.layout(of: word, level: level))))
  }
}
