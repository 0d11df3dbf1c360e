// SPDX-License-Identifier: Apache-2.0

public import Memory
internal import RemappingState
internal import VTd

/// The copy engine: rebuilds the tables of remapping units in an arena, with links rewritten.
///
/// One copier serves all units of a machine, so that page tables that several contexts or units
/// share are copied once. What cannot be copied is left out or kept as it is, and always said: see
/// `CopyProblem`. Nothing traps or hangs on hostile tables; `CopyBudget` bounds the work.
///
///     var copier = TableCopier(base: base)
///     let copy = copier.copyAll(tables)
///     let proof = CopyVerifier(copier.arena, original: tables).verify(copy)
public struct TableCopier {
  public let arena: TableArena
  /// Words that takeovers in place have written so far, over all units.
  public internal(set) var edits = TableEdits()
  let budget: CopyBudget
  private var pageTables: PageTableCopier

  /// - Parameter base: where the arena starts; see `TableArena.base(beside:)`.
  public init(base: PhysicalAddress, budget: CopyBudget = CopyBudget()) {
    arena = TableArena(base: base, pageLimit: budget.pages)
    self.budget = budget
    pageTables = PageTableCopier(arena, budget: budget)
  }

  /// Runs one copy and counts the pages that it took.
  private mutating func counted(_ body: (inout TableCopier) -> UnitCopy) -> UnitCopy {
    let before = arena.pages
    var copy = body(&self)
    copy.pages = arena.pages.subtracting(before)
    return copy
  }

  // MARK: Every level

  /// Copies the root, context and PASID tables and every page table below them.
  ///
  /// - Parameter dropsBadEntries: leaves out contexts that fail a sanity check, instead of copying
  ///   them for hardware to fault on as it did on the original.
  public mutating func copyAll(_ unit: UnitTables, dropsBadEntries: Bool = false) -> UnitCopy {
    counted { $0.everything(unit, dropsBadEntries) }
  }

  private mutating func everything(
    _ unit: UnitTables, _ dropsBadEntries: Bool
  ) -> UnitCopy {
    let reading = unit.read(budget)
    var copy = UnitCopy()
    note(reading, in: &copy)
    guard let root = arena.allocate(.rootTable) else {
      copy.noteBudget(arena)
      return copy
    }
    copy.rootTable = root
    let context = copyRoots(reading, unit, root, &copy)
    if unit.mode == .scalable {
      copyScalable(reading, unit, context, dropsBadEntries, &copy)
    } else {
      copyContexts(reading, unit, context, dropsBadEntries, &copy)
    }
    checkDomainIDs(reading, &copy)
    copy.domainIDs = Set(
      reading.paths.lazy.compactMap(\.domainID).map(UInt32.init).filter {
        Int($0) < unit.capabilities.capability.domainCount
      }
    ).sorted()
    copy.copied = Set(copy.contexts.lazy.filter { $0.new != nil }.map(\.sourceID)).sorted()
    return copy
  }

  /// A copied context table by the page that it is a copy of.
  private typealias ContextTables = [UInt64: PhysicalAddress]

  private func copyRoots(
    _ reading: TranslationTablesReading, _ unit: UnitTables, _ root: PhysicalAddress,
    _ copy: inout UnitCopy
  ) -> ContextTables {
    var tables: ContextTables = [:]
    for entry in reading.roots {
      let slot = PhysicalAddress(
        root.rawValue | UInt64(entry.bus) << 4 | UInt64(entry.half ?? 0) << 3)
      let old = entry.words.first ?? 0
      var row = UnitCopy.RootRow(bus: entry.bus, half: entry.half, old: old, new: .exact(0))
      // A table that was not readable is no empty table: its entry stays out of the copy.
      if unit.memory.isReadable(entry.contextTable.frame) {
        let table = tables[entry.contextTable.frame] ?? arena.allocate(.contextTable)
        if let table {
          tables[entry.contextTable.frame] = table
          let pointer = CopiedWord.pointer(old, to: table, mask: ~0xfff, base: arena.base)
          arena.store(pointer.word, at: slot)
          row.new = pointer.copied
        } else {
          copy.noteBudget(arena)
        }
      } else {
        copy.failedBuses.append(entry.bus)
      }
      copy.roots.append(row)
    }
    return tables
  }

  private mutating func copyContexts(
    _ reading: TranslationTablesReading, _ unit: UnitTables, _ tables: ContextTables,
    _ dropsBadEntries: Bool, _ copy: inout UnitCopy
  ) {
    for path in reading.paths {
      var row = UnitCopy.ContextRow(
        bus: path.bus, devfn: path.devfn, old: path.words, new: nil)
      defer { copy.contexts.append(row) }
      guard let table = tables[path.entry.frame] else { continue }
      if dropsBadEntries, path.isBad { continue }
      var words = path.words
      var new = words.map(CopiedWord.exact)
      if let space = path.addressSpace {
        let copied = self.copy(space, path, unit, &copy)
        copy.spaces.append(
          UnitCopy.Space(
            bus: path.bus, devfn: path.devfn, pasid: nil, old: space,
            new: copied.map { space.moved(to: $0) }))
        guard let top = copied?.table else { continue }
        (words[0], new[0]) = CopiedWord.pointer(words[0], to: top, mask: ~0xfff, base: arena.base)
      } else {
        noteKept(path, &copy)
      }
      arena.store(words, at: PhysicalAddress(table.rawValue | UInt64(path.entry.pageOffset)))
      row.new = new
    }
  }

  private mutating func copyScalable(
    _ reading: TranslationTablesReading, _ unit: UnitTables, _ tables: ContextTables,
    _ dropsBadEntries: Bool, _ copy: inout UnitCopy
  ) {
    var pasidTables: [UInt64: PhysicalAddress] = [:]
    /// PASID directories by address and size.
    var directories: [PASIDDirectory: PhysicalAddress] = [:]
    var entries: [PhysicalAddress: [TranslationTablesReading.DirectoryEntry]] = [:]
    for entry in reading.directoryEntries { entries[entry.directory, default: []].append(entry) }

    for context in reading.contexts {
      var row = UnitCopy.ContextRow(
        bus: context.bus, devfn: context.devfn, old: context.words, new: nil)
      defer { copy.contexts.append(row) }
      let entry = ScalableContextEntry(words: context.words)
      guard let table = tables[context.entry.frame] else { continue }
      if dropsBadEntries,
        !entry.reservedBits(unit.capabilities).isEmpty
          || !entry.violations(unit.capabilities).isEmpty
      {
        continue
      }
      let key = PASIDDirectory(table: entry.pasidDirectory, size: entry.pasidDirectorySize)
      guard
        let directory = directories[key]
          ?? copyDirectory(key, unit, entries[key.table] ?? [], &pasidTables, &copy)
      else { continue }
      directories[key] = directory
      var words = context.words
      var new = words.map(CopiedWord.exact)
      (words[0], new[0]) = CopiedWord.pointer(
        words[0], to: directory, mask: ~0xfff, base: arena.base)
      arena.store(words, at: PhysicalAddress(table.rawValue | UInt64(context.entry.pageOffset)))
      row.new = new
    }

    /// Entries done, for PASID tables that several contexts share.
    var done: [PhysicalAddress: [CopiedWord]] = [:]
    for path in reading.paths {
      guard let pasid = path.pasid else { continue }
      var row = UnitCopy.PASIDRow(
        bus: path.bus, devfn: path.devfn, pasid: pasid, old: path.words, new: nil)
      defer { copy.pasids.append(row) }
      guard let table = pasidTables[path.entry.frame] else { continue }
      let slot = PhysicalAddress(table.rawValue | UInt64(path.entry.pageOffset))
      if dropsBadEntries, path.isBad {
        arena.store(path.words.map { _ in 0 }, at: slot)
        continue
      }
      var words = path.words
      var new = words.map(CopiedWord.exact)
      if let space = path.addressSpace {
        // Of nested translation the second stage is the host's and is copied; the first stage lies
        // in the guest's memory, where the copied second stage leads to it as before.
        let copied = self.copy(space, path, unit, &copy)
        copy.spaces.append(
          UnitCopy.Space(
            bus: path.bus, devfn: path.devfn, pasid: pasid, old: space,
            new: copied.map { space.moved(to: $0) }))
        guard let top = copied?.table else {
          // Nothing to translate with: not present rather than a pointer into the unknown.
          arena.store(path.words.map { _ in 0 }, at: slot)
          continue
        }
        let word = space.stage == .first && space.nesting == nil ? 2 : 0
        (words[word], new[word]) = CopiedWord.pointer(
          words[word], to: top, mask: ~0xfff, base: arena.base)
      } else {
        noteKept(path, &copy)
      }
      if done[path.entry] == nil {
        arena.store(words, at: slot)
        done[path.entry] = new
      }
      row.new = new
    }
  }

  private struct PASIDDirectory: Hashable {
    var table: PhysicalAddress
    var size: UInt8
  }

  /// Copies a PASID directory and the PASID tables that it points to, whole pages at a time.
  private func copyDirectory(
    _ key: PASIDDirectory, _ unit: UnitTables,
    _ entries: [TranslationTablesReading.DirectoryEntry],
    _ pasidTables: inout [UInt64: PhysicalAddress], _ copy: inout UnitCopy
  ) -> PhysicalAddress? {
    // 2^(PDTS + 7) entries of 8 bytes: a quarter of a page up to 32 pages.
    let count = 1 << (Int(key.size) + 7)
    guard let directory = arena.allocate(.pasidDirectory, count: max(1, count / Page.wordCount))
    else {
      copy.noteBudget(arena)
      return nil
    }
    for entry in entries where entry.index < count {
      let frame = entry.word >> 12
      guard unit.memory.isReadable(frame) else { continue }
      if pasidTables[frame] == nil {
        guard let table = arena.allocate(.pasidTable) else {
          copy.noteBudget(arena)
          continue
        }
        if let page = try? unit.memory.pageOrAssumedZero(frame).page {
          arena.fill(table, with: page)
        }
        pasidTables[frame] = table
      }
      guard let table = pasidTables[frame] else { continue }
      let pointer = CopiedWord.pointer(entry.word, to: table, mask: ~0xfff, base: arena.base)
      arena.store(
        pointer.word, at: PhysicalAddress(directory.rawValue + UInt64(entry.index) * 8))
    }
    return directory
  }

  /// Copies the tables that translate with host-physical pointers; of nested ones, the second stage.
  private mutating func copy(
    _ space: AddressSpace, _ path: ContextPath, _ unit: UnitTables, _ copy: inout UnitCopy
  ) -> StageRoot? {
    let tables = space.hostTables
    return pageTables.copy(
      tables, capabilities: unit.capabilities, memory: unit.memory,
      origin: .init(bus: path.bus, devfn: path.devfn, pasid: path.pasid),
      problems: &copy.problems
    ).map { StageRoot(table: $0, levels: tables.root.levels) }
  }

  // MARK: Root and contexts only

  /// Copies the root and context tables and leaves everything below in the old memory, as Linux
  /// does, entry by entry as its code reads them.
  public mutating func copyContexts(_ unit: UnitTables, rule: ContextCopyRule) -> UnitCopy {
    counted { $0.contexts(unit, rule) }
  }

  private mutating func contexts(_ unit: UnitTables, _ rule: ContextCopyRule) -> UnitCopy {
    var copy = UnitCopy()
    let reading = unit.read(budget)
    note(reading, in: &copy)
    checkDomainIDs(reading, &copy)
    guard let root = arena.allocate(.rootTable) else {
      copy.noteBudget(arena)
      return copy
    }
    copy.rootTable = root
    let bad = rule.dropsBadEntries ? Set(reading.paths.filter(\.isBad).map(\.entry)) : []
    var ids: Set<UInt32> = []
    guard let page = try? unit.memory.pageOrAssumedZero(unit.rootTable.frame).page else {
      return copy
    }
    let isWide = unit.mode != .legacy
    for bus: UInt8 in 0...255 {
      let old = [page[word: Int(bus) * 2], page[word: Int(bus) * 2 + 1]]
      var new: [CopiedWord] = [.exact(0), .exact(0)]
      if rule.readsHalves, old[0] & 1 == 0, old[1] & 1 != 0 { copy.upperOnlyBuses.append(bus) }
      for half in 0...(rule.readsHalves ? 1 : 0) {
        // The kernel takes a present entry with pointer 0 for an absent one.
        guard old[half] & 1 != 0, old[half] & ~0xfff != 0 else { continue }
        guard let source = try? unit.memory.pageOrAssumedZero(old[half] >> 12).page else {
          copy.failedBuses.append(bus)
          continue
        }
        guard let table = arena.allocate(.contextTable) else {
          copy.noteBudget(arena)
          continue
        }
        copyEntries(
          source, old[half] & ~0xfff, to: table, bus: bus, half: half, rule, unit.capabilities,
          bad, &ids, &copy)
        let place =
          half == 1 && rule.upperOnly == .lowerHalf && old[0] & 1 == 0 ? 0 : half
        let word = table.rawValue | 1
        arena.store(
          word, at: PhysicalAddress(root.rawValue | UInt64(bus) << 4 | UInt64(place) << 3))
        new[place] = .arena(word &- arena.base.rawValue)
      }
      for half in 0...(isWide ? 1 : 0) where old[half] != 0 || new[half] != .exact(0) {
        copy.roots.append(
          UnitCopy.RootRow(bus: bus, half: isWide ? half : nil, old: old[half], new: new[half]))
      }
    }
    copy.domainIDs = ids.sorted()
    compare(unit, reading, root, &copy)
    copy.spaces = reading.paths.compactMap { path in
      path.addressSpace.map {
        UnitCopy.Space(bus: path.bus, devfn: path.devfn, pasid: path.pasid, old: $0, new: $0)
      }
    }
    return copy
  }

  /// One call of the kernel's inner loop: the present entries of one context table, 16 bytes each.
  private func copyEntries(
    _ source: Page, _ address: UInt64, to table: PhysicalAddress, bus: UInt8, half: Int,
    _ rule: ContextCopyRule, _ capabilities: UnitCapabilities, _ bad: Set<PhysicalAddress>,
    _ ids: inout Set<UInt32>, _ copy: inout UnitCopy
  ) {
    for slot in stride(from: 0, to: 256, by: rule.readsHalves ? 2 : 1) {
      var low = source[word: slot * 2]
      var high = source[word: slot * 2 + 1]
      guard low & 1 != 0 else { continue }
      if bad.contains(PhysicalAddress(address | UInt64(slot) << 4)) { continue }
      // The code reads the legacy field, whatever the mode.
      let id = UInt32(high >> 8 & 0xffff)
      if Int(id) < capabilities.capability.domainCount { ids.insert(id) }
      if rule.marker == .bit67 {
        low &= ~(1 << 11)
        high |= 1 << 3
      }
      let devfn = UInt16(rule.readsHalves ? half << 7 | slot / 2 : slot)
      copy.copied.append(UInt16(bus) << 8 | devfn)
      let place = PhysicalAddress(table.rawValue | UInt64(slot) << 4)
      arena.store([low, high], at: place)
    }
  }

  /// Lists the entries of the old tables and the new ones as hardware reads both.
  private func compare(
    _ unit: UnitTables, _ old: TranslationTablesReading, _ root: PhysicalAddress,
    _ copy: inout UnitCopy
  ) {
    let new = TranslationTables(
      memory: ArenaOverlay(arena, over: unit.memory), rootTable: root, mode: unit.mode,
      unit: unit.capabilities
    ).read(budget: budget.contexts)
    copy.pair(old, new)
  }

  // MARK: Nothing gets through

  /// Builds tables that let nothing through but the contexts of chosen source ids.
  ///
  /// Every bus has a context table, and entries that are not present have fault processing disabled:
  /// hardware then drops requests without a record. With absent root entries instead, each request
  /// would be reported, because that fault cannot be silenced.
  public mutating func block(_ unit: UnitTables, except kept: Set<UInt16>) -> UnitCopy {
    counted { $0.blocked(unit, kept) }
  }

  private mutating func blocked(_ unit: UnitTables, _ kept: Set<UInt16>) -> UnitCopy {
    var copy = UnitCopy()
    let reading = unit.read(budget)
    let isWide = unit.mode != .legacy
    let stride = isWide ? 32 : 16
    guard let root = arena.allocate(.rootTable), let closed = arena.allocate(.contextTable) else {
      copy.noteBudget(arena)
      return copy
    }
    copy.rootTable = root
    func close(_ table: PhysicalAddress) {
      for offset in Swift.stride(from: 0, to: Page.size, by: stride) {
        arena.store(0b10, at: PhysicalAddress(table.rawValue | UInt64(offset)))
      }
    }
    close(closed)
    /// The tables of buses, or halves of them, that have something to let through.
    var open: [Int: PhysicalAddress] = [:]
    for context in reading.contexts {
      var row = UnitCopy.ContextRow(
        bus: context.bus, devfn: context.devfn, old: context.words, new: nil)
      defer { copy.contexts.append(row) }
      guard kept.contains(context.sourceID) else { continue }
      let key = Int(context.bus) << 1 | (isWide ? Int(context.devfn >> 7) : 0)
      if open[key] == nil, let table = arena.allocate(.contextTable) {
        close(table)
        open[key] = table
      }
      guard let table = open[key] else {
        copy.noteBudget(arena)
        continue
      }
      arena.store(
        context.words, at: PhysicalAddress(table.rawValue | UInt64(context.entry.pageOffset)))
      row.new = context.words.map(CopiedWord.exact)
      copy.copied.append(context.sourceID)
    }
    var oldRoots: [Int: UInt64] = [:]
    for entry in reading.roots {
      oldRoots[Int(entry.bus) << 1 | (entry.half ?? 0)] = entry.words.first
    }
    for bus: UInt8 in 0...255 {
      for half in 0...(isWide ? 1 : 0) {
        let key = Int(bus) << 1 | half
        let word = (open[key] ?? closed).rawValue | 1
        arena.store(
          word, at: PhysicalAddress(root.rawValue | UInt64(bus) << 4 | UInt64(half) << 3))
        copy.roots.append(
          UnitCopy.RootRow(
            bus: bus, half: isWide ? half : nil, old: oldRoots[key] ?? 0,
            new: .arena(word &- arena.base.rawValue)))
      }
    }
    return copy
  }

  // MARK: Checks

  func note(_ reading: TranslationTablesReading, in copy: inout UnitCopy) {
    for obstacle in reading.obstacles {
      func note(_ check: CopyProblem.Check, _ outcome: CopyProblem.Outcome, _ detail: String) {
        copy.problems.note(
          CopyProblem(
            check, outcome, bus: obstacle.bus, devfn: obstacle.devfn, pasid: obstacle.pasid,
            address: obstacle.address, detail: "\(obstacle.structure.rawValue): \(detail)"))
      }
      switch obstacle.kind {
      case .unreadable(let error):
        note(
          error.absence == .notInDump ? .tableOutsideMemory : .tableMissing, .dropped, "\(error)")
      case .assumedZero: note(.assumedZero, .copied, "a hole of the ELF dump is taken for zeros")
      case .reservedBits(let mask): note(.reservedBits, .copied, "reserved bits \(mask)")
      case .violations(let violations):
        for violation in violations {
          note(
            violation.field == "DID" ? .domainIDOutOfRange : .fieldViolation, .copied,
            "\(violation)")
        }
      case .shared(let bus):
        note(.sharedContextTable, .copied, "also the table of bus \(String(bus, radix: 16))")
      case .budgetExhausted(let part): note(.budget, .ended, "more \(part.rawValue) than allowed")
      }
    }
  }

  private func noteKept(_ path: ContextPath, _ copy: inout UnitCopy) {
    // Pass-through and reserved types have no tables; a table of impossible depth has no copy.
    guard let table = path.table, let levels = path.levels else { return }
    copy.problems.note(
      CopyProblem(
        .fieldViolation, .kept, bus: path.bus, devfn: path.devfn, pasid: path.pasid,
        address: path.entry, detail: "a table at \(table) with \(levels) levels cannot be walked"))
  }

  /// One domain-id with two tables, and one table with two ids.
  ///
  /// The code of 2014 looked only at the id and would have given all its devices the first table.
  private func checkDomainIDs(_ reading: TranslationTablesReading, _ copy: inout UnitCopy) {
    var tableOfID: [UInt16: PhysicalAddress] = [:]
    var idOfTable: [PhysicalAddress: UInt16] = [:]
    for path in reading.paths {
      guard let table = path.table, let id = path.domainID else { continue }
      // First-stage and pass-through entries of scalable mode share an id by design.
      let sharesID = path.kind == .firstStage || path.kind == .nested
      if let other = tableOfID[id], other != table, !sharesID {
        copy.problems.note(
          CopyProblem(
            .domainIDWithTwoTables, .copied, bus: path.bus, devfn: path.devfn, pasid: path.pasid,
            address: path.entry,
            detail: "domain-id \(id) has the table \(table) here and \(other) before"))
      } else {
        tableOfID[id] = table
      }
      if let other = idOfTable[table], other != id {
        copy.problems.note(
          CopyProblem(
            .tableWithTwoDomainIDs, .copied, bus: path.bus, devfn: path.devfn, pasid: path.pasid,
            address: path.entry,
            detail: "the table \(table) has domain-id \(id) here and \(other) before"))
      } else {
        idOfTable[table] = id
      }
    }
  }
}

extension TableArena {
  /// Writes neighbouring words.
  func store(_ words: [UInt64], at address: PhysicalAddress) {
    for (index, word) in words.enumerated() {
      store(word, at: PhysicalAddress(address.rawValue &+ UInt64(index) &* 8))
    }
  }
}

extension PhysicalMemory {
  /// Whether a table page can be had; a hole of an ELF dump can, as zeros.
  fileprivate func isReadable(_ frame: UInt64) -> Bool {
    (try? pageOrAssumedZero(frame)) != nil
  }
}

extension ContextPath {
  /// Whether hardware would refuse the entry itself.
  fileprivate var isBad: Bool { !reservedBits.isEmpty || !violations.isEmpty }
}

extension UnitCopy {
  fileprivate mutating func noteBudget(_ arena: TableArena) {
    problems.note(
      CopyProblem(.budget, .ended, detail: "the copy needs more than \(arena.pageLimit) pages"))
  }
}

extension UnitCopy.ContextRow {
  /// The requester id: bus in bits 15:8, devfn in bits 7:0.
  public var sourceID: UInt16 { UInt16(bus) << 8 | UInt16(devfn) }
}

extension TranslationTablesReading.Context {
  var sourceID: UInt16 { UInt16(bus) << 8 | UInt16(devfn) }
}

extension [TableKind: Int] {
  fileprivate func subtracting(_ other: Self) -> Self {
    var result: Self = [:]
    for (kind, count) in self where count > other[kind, default: 0] {
      result[kind] = count - other[kind, default: 0]
    }
    return result
  }
}
