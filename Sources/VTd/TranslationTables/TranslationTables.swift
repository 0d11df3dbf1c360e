// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// The tables that lead from a requester id to its address spaces: root, context, PASID directory
/// and PASID tables of one unit.
///
/// Source: VT-d specification, sections 3.4 and 9.1 to 9.6.
public struct TranslationTables: Sendable {
  public var memory: any PhysicalMemory
  /// Page-aligned; low bits are not looked at.
  public var rootTable: PhysicalAddress
  public var mode: TableMode
  public var capabilities: UnitCapabilities
  /// The run that pays for reading them; `nil` where it stands alone.
  public var work: WorkBudget?

  public init(
    memory: any PhysicalMemory, rootTable: PhysicalAddress, mode: TableMode,
    capabilities: UnitCapabilities, work: WorkBudget? = nil
  ) {
    self.memory = memory
    self.rootTable = rootTable
    self.mode = mode
    self.capabilities = capabilities
    self.work = work
  }

  /// Reads all of them, in the order of bus, devfn and PASID.
  ///
  /// Never throws and always ends: what cannot be read, and what the budget does not cover, is an
  /// obstacle. Tables that several entries share are read for each of them.
  public func read(budget: ContextBudget = ContextBudget()) -> TranslationTablesReading {
    let share = work.map { budget.share(of: $0) } ?? budget
    var reader = ContextReader(self, budget: share)
    reader.readRootTable()
    if let work { share.settle(reader.budget, with: work) }
    return reader.reading
  }
}

/// What `TranslationTables.read` found.
///
/// All addresses are host-physical.
public struct TranslationTablesReading: Sendable {
  /// A present root entry, or a present half of one.
  public struct Root: Hashable, Sendable {
    public var bus: UInt8
    /// `nil` in legacy mode; otherwise 0 for the lower half and 1 for the upper one.
    public var half: Int?
    /// Address of the entry, or of its half.
    public var entry: PhysicalAddress
    /// Two words in legacy mode, one for a half.
    public var words: [UInt64]
    /// Page-aligned.
    public var contextTable: PhysicalAddress
  }

  /// A present context entry.
  public struct Context: Hashable, Sendable {
    public var bus: UInt8
    public var devfn: UInt8
    public var entry: PhysicalAddress
    /// 2 words in legacy mode, otherwise 4.
    public var words: [UInt64]
  }

  /// A present PASID directory entry; listed once for each directory, however many contexts share
  /// it.
  public struct DirectoryEntry: Hashable, Sendable {
    /// Page-aligned address of the directory.
    public var directory: PhysicalAddress
    /// Times 64: the first PASID.
    public var index: Int
    public var entry: PhysicalAddress
    public var word: UInt64
  }

  public var roots: [Root] = []
  public var contexts: [Context] = []
  public var directoryEntries: [DirectoryEntry] = []
  public var paths: [ContextPath] = []
  public var obstacles: [ContextObstacle] = []
  /// Obstacles that were not kept.
  public var obstaclesDropped = 0
  /// `nil` if everything was read that is there.
  public var exhausted: ContextBudget.Part?

  public init() {}
}

/// The state of one reading.
private struct ContextReader {
  let tables: TranslationTables
  var budget: ContextBudget
  var reading = TranslationTablesReading()
  /// The bus that a context table page was first used for.
  var contextTables: [UInt64: UInt8] = [:]
  /// The entries listed so far of each directory, which contexts may give different sizes.
  var listedDirectories: [UInt64: Int] = [:]
  /// Which entries of a PASID table page are present, so that hostile directories that point to one
  /// empty page over and over cost no reads.
  var presentEntries: [UInt64: UInt64] = [:]
  /// Pages that are not there, or were taken for zeros, and the end of the budget.
  var lacks = 0

  init(_ tables: TranslationTables, budget: ContextBudget) {
    self.tables = tables
    self.budget = budget
  }

  var isOver: Bool { reading.exhausted != nil }

  mutating func readRootTable() {
    guard let page = page(tables.rootTable, .rootTable) else { return }
    let root = tables.rootTable.pageBase.rawValue
    for bus: UInt8 in 0...255 where !isOver {
      guard page[word: Int(bus) * 2] | page[word: Int(bus) * 2 + 1] != 0 else { continue }
      let entry = PhysicalAddress(root | UInt64(bus) << 4)
      if tables.mode == .legacy {
        readLegacyBus(bus, RootEntry(page: page, word: Int(bus) * 2), at: entry)
      } else {
        readBus(bus, ScalableRootEntry(page: page, word: Int(bus) * 2), at: entry)
      }
    }
  }

  private mutating func readLegacyBus(_ bus: UInt8, _ root: RootEntry, at entry: PhysicalAddress) {
    guard root.isPresent else { return }
    reading.roots.append(
      .init(
        bus: bus, half: nil, entry: entry, words: root.words, contextTable: root.contextTable))
    let reserved = root.reservedBits(tables.capabilities)
    noteReserved(reserved, .rootEntry, entry, bus: bus)
    let refusal = ContextRefusal(.rootEntry, reserved: reserved)
    guard let page = contextTable(root.contextTable, bus: bus) else { return }
    for devfn: UInt8 in 0...255 where !isOver {
      // Most entries are zero, and an entry takes an array.
      guard page[word: Int(devfn) * 2] != 0 else { continue }
      let context = ContextEntry(page: page, word: Int(devfn) * 2)
      guard context.isPresent else { continue }
      let address = PhysicalAddress(root.contextTable.rawValue | UInt64(devfn) << 4)
      add(context.words, bus: bus, devfn: devfn, at: address)
      add(
        ContextPath(
          bus: bus, devfn: devfn, context, at: address, unit: tables.capabilities,
          refusedAbove: refusal))
    }
  }

  private mutating func readBus(
    _ bus: UInt8, _ root: ScalableRootEntry, at entry: PhysicalAddress
  ) {
    let reserved = root.reservedBits(tables.capabilities)
    noteReserved(reserved, .rootEntry, entry, bus: bus)
    let halves = [
      (root.isLowerPresent, root.lowerContextTable), (root.isUpperPresent, root.upperContextTable),
    ]
    for (half, (isPresent, table)) in halves.enumerated() where isPresent && !isOver {
      reading.roots.append(
        .init(
          bus: bus, half: half, entry: PhysicalAddress(entry.rawValue | UInt64(half) << 3),
          words: [root.words[half]], contextTable: table))
      guard let page = contextTable(table, bus: bus) else { continue }
      let refusal = ContextRefusal(
        .rootEntry, reserved: root.reservedBits(tables.capabilities, devfn: UInt8(half) << 7))
      for slot: UInt8 in 0...127 where !isOver && page[word: Int(slot) * 4] != 0 {
        let devfn = UInt8(half) << 7 | slot
        let address = PhysicalAddress(table.rawValue | UInt64(slot) << 5)
        if tables.mode == .extended {
          let context = ExtendedContextEntry(page: page, word: Int(slot) * 4)
          guard context.isPresent else { continue }
          add(context.words, bus: bus, devfn: devfn, at: address)
          add(
            ContextPath(
              bus: bus, devfn: devfn, context, at: address, unit: tables.capabilities,
              refusedAbove: refusal))
        } else {
          let context = ScalableContextEntry(page: page, word: Int(slot) * 4)
          guard context.isPresent else { continue }
          add(context.words, bus: bus, devfn: devfn, at: address)
          readDirectory(of: context, refusal, bus: bus, devfn: devfn, at: address)
        }
      }
    }
  }

  private mutating func readDirectory(
    of context: ScalableContextEntry, _ refusal: ContextRefusal?, bus: UInt8, devfn: UInt8,
    at address: PhysicalAddress
  ) {
    noteReserved(
      context.reservedBits(tables.capabilities), .contextEntry, address, bus: bus, devfn: devfn)
    noteViolations(
      context.violations(tables.capabilities), .contextEntry, address, bus: bus, devfn: devfn)
    let (found, lacking) = (reading.paths.count, lacks)
    let directory = context.pasidDirectory
    let count = context.pasidDirectoryEntryCount
    let listed = listedDirectories[directory.frame] ?? 0
    for first in stride(from: 0, to: count, by: Page.wordCount) where !isOver {
      guard let base = directory.advanced(by: UInt64(first) * 8) else { break }
      let pasid = UInt32(first) * 64
      guard let page = page(base, .pasidDirectory, bus: bus, devfn: devfn, pasid: pasid) else {
        continue
      }
      for index in 0..<min(Page.wordCount, count - first) where !isOver {
        let entry = PASIDDirectoryEntry(rawValue: page[word: index])
        guard entry.isPresent else { continue }
        guard take(\.directoryEntries, .directoryEntries, .pasidDirectory, directory) else { break }
        let number = first + index
        let address = PhysicalAddress(base.rawValue | UInt64(index) * 8)
        if number >= listed {
          reading.directoryEntries.append(
            .init(directory: directory, index: number, entry: address, word: entry.rawValue))
          noteReserved(
            entry.reservedBits(tables.capabilities), .pasidDirectoryEntry, address, bus: bus,
            devfn: devfn,
            pasid: UInt32(number) * 64)
        }
        readTable(
          entry, first: UInt32(number) * 64, of: context, refusal, bus: bus, devfn: devfn)
      }
    }
    listedDirectories[directory.frame] = max(listed, count)
    if reading.paths.count == found {
      append(
        ContextPath(
          bus: bus, devfn: devfn, context, at: address, unit: tables.capabilities,
          refusedAbove: refusal, isIncomplete: lacks > lacking))
    }
  }

  private mutating func readTable(
    _ directoryEntry: PASIDDirectoryEntry, first: UInt32, of context: ScalableContextEntry,
    _ refusal: ContextRefusal?, bus: UInt8, devfn: UInt8
  ) {
    let table = directoryEntry.pasidTable
    if presentEntries[table.frame] == 0 { return }
    let lacking = lacks
    guard let page = page(table, .pasidTable, bus: bus, devfn: devfn, pasid: first) else { return }
    var present: UInt64 = 0
    for index in 0..<64 where page[word: index * 8] & 1 != 0 { present |= 1 << UInt64(index) }
    // Zeros that are only assumed are so for each context that leads there.
    if lacks == lacking { presentEntries[table.frame] = present }
    for index in 0..<64 where present >> UInt64(index) & 1 != 0 && !isOver {
      let address = PhysicalAddress(table.rawValue | UInt64(index) << 6)
      add(
        ContextPath(
          bus: bus, devfn: devfn, pasid: first + UInt32(index),
          PASIDEntry(page: page, word: index * 8), at: address, below: context,
          directoryEntry: directoryEntry, unit: tables.capabilities, refusedAbove: refusal))
    }
  }

  // MARK: What is found

  private mutating func add(
    _ words: [UInt64], bus: UInt8, devfn: UInt8, at address: PhysicalAddress
  ) {
    reading.contexts.append(.init(bus: bus, devfn: devfn, entry: address, words: words))
  }

  private mutating func add(_ path: ContextPath) {
    guard append(path) else { return }
    let structure: ContextObstacle.Structure = path.pasid == nil ? .contextEntry : .pasidEntry
    noteReserved(
      path.reservedBits, structure, path.entry, bus: path.bus, devfn: path.devfn,
      pasid: path.pasid)
    noteViolations(
      path.violations, structure, path.entry, bus: path.bus, devfn: path.devfn,
      pasid: path.pasid)
  }

  @discardableResult
  private mutating func append(_ path: ContextPath) -> Bool {
    guard take(\.paths, .paths, .contextEntry, path.entry, bus: path.bus, devfn: path.devfn) else {
      return false
    }
    reading.paths.append(path)
    return true
  }

  // MARK: Pages and budgets

  private mutating func contextTable(_ address: PhysicalAddress, bus: UInt8) -> Page? {
    if let first = contextTables[address.frame] {
      note(.contextTable, .shared(firstBus: first), address, bus: bus)
    } else {
      contextTables[address.frame] = bus
    }
    return page(address, .contextTable, bus: bus)
  }

  private mutating func page(
    _ address: PhysicalAddress, _ structure: ContextObstacle.Structure, bus: UInt8? = nil,
    devfn: UInt8? = nil, pasid: UInt32? = nil
  ) -> Page? {
    let base = address.pageBase
    guard take(\.pages, .pages, structure, base, bus: bus, devfn: devfn, pasid: pasid) else {
      return nil
    }
    do {
      let (page, isAssumed) = try tables.memory.pageOrAssumedZero(base.frame)
      if isAssumed {
        lacks += 1
        note(structure, .assumedZero, base, bus: bus, devfn: devfn, pasid: pasid)
      }
      return page
    } catch {
      lacks += 1
      note(structure, .unreadable(error), base, bus: bus, devfn: devfn, pasid: pasid)
      return nil
    }
  }

  /// Takes one of a part of the budget, or ends the reading.
  private mutating func take(
    _ part: WritableKeyPath<ContextBudget, Int>, _ name: ContextBudget.Part,
    _ structure: ContextObstacle.Structure, _ address: PhysicalAddress, bus: UInt8? = nil,
    devfn: UInt8? = nil, pasid: UInt32? = nil
  ) -> Bool {
    guard !isOver else { return false }
    guard budget[keyPath: part] > 0 else {
      reading.exhausted = name
      lacks += 1
      // Kept even when the obstacles are full: without it the reading would look complete.
      reading.obstacles.append(
        ContextObstacle(
          structure: structure, kind: .budgetExhausted(name), address: address, bus: bus,
          devfn: devfn, pasid: pasid))
      return false
    }
    budget[keyPath: part] -= 1
    return true
  }

  private mutating func noteReserved(
    _ bits: EntryMask, _ structure: ContextObstacle.Structure, _ address: PhysicalAddress,
    bus: UInt8, devfn: UInt8? = nil, pasid: UInt32? = nil
  ) {
    guard !bits.isEmpty else { return }
    note(structure, .reservedBits(bits), address, bus: bus, devfn: devfn, pasid: pasid)
  }

  private mutating func noteViolations(
    _ violations: [FieldViolation], _ structure: ContextObstacle.Structure,
    _ address: PhysicalAddress, bus: UInt8, devfn: UInt8, pasid: UInt32? = nil
  ) {
    guard !violations.isEmpty else { return }
    note(structure, .violations(violations), address, bus: bus, devfn: devfn, pasid: pasid)
  }

  private mutating func note(
    _ structure: ContextObstacle.Structure, _ kind: ContextObstacle.Kind,
    _ address: PhysicalAddress, bus: UInt8? = nil, devfn: UInt8? = nil, pasid: UInt32? = nil
  ) {
    guard reading.obstacles.count < budget.obstacles else {
      reading.obstaclesDropped += 1
      return
    }
    reading.obstacles.append(
      ContextObstacle(
        structure: structure, kind: kind, address: address, bus: bus, devfn: devfn, pasid: pasid))
  }
}
