// SPDX-License-Identifier: Apache-2.0

public import Memory
internal import RemappingState
public import VTd

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

  /// - Parameters:
  ///   - base: where the arena starts; see `TableArena.base(beside:)`.
  ///   - walked: what is known of the spaces to copy.
  public init(
    base: PhysicalAddress, budget: CopyBudget = CopyBudget(), walked: WalkedSpaces = WalkedSpaces()
  ) {
    arena = TableArena(base: base, pageLimit: budget.pages)
    self.budget = budget
    pageTables = PageTableCopier(arena, budget: budget, walked: walked)
  }

  /// Runs one copy and counts the pages that it took.
  mutating func counted(_ body: (inout TableCopier) -> UnitCopy) -> UnitCopy {
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
  public mutating func copyAll(_ unit: TranslationTables, dropsBadEntries: Bool = false) -> UnitCopy
  {
    counted { $0.everything(unit, dropsBadEntries) }
  }

  mutating func everything(
    _ unit: TranslationTables, _ dropsBadEntries: Bool
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
  typealias ContextTables = [UInt64: PhysicalAddress]

  func copyRoots(
    _ reading: TranslationTablesReading, _ unit: TranslationTables, _ root: PhysicalAddress,
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

  mutating func copyContexts(
    _ reading: TranslationTablesReading, _ unit: TranslationTables, _ tables: ContextTables,
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

  mutating func copyScalable(
    _ reading: TranslationTablesReading, _ unit: TranslationTables, _ tables: ContextTables,
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

  struct PASIDDirectory: Hashable {
    var table: PhysicalAddress
    var size: UInt8
  }

  /// Copies a PASID directory and the PASID tables that it points to, whole pages at a time.
  func copyDirectory(
    _ key: PASIDDirectory, _ unit: TranslationTables,
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
    _ space: AddressSpace, _ path: ContextPath, _ unit: TranslationTables, _ copy: inout UnitCopy
  ) -> StageRoot? {
    let tables = space.hostTables
    return pageTables.copy(
      tables, capabilities: unit.capabilities, memory: unit.memory,
      origin: .init(bus: path.bus, devfn: path.devfn, pasid: path.pasid),
      problems: &copy.problems
    ).map { StageRoot(table: $0, levels: tables.root.levels) }
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
  func isReadable(_ frame: UInt64) -> Bool {
    (try? pageOrAssumedZero(frame)) != nil
  }
}

extension ContextPath {
  /// Whether hardware would refuse the entry itself.
  var isBad: Bool { !reservedBits.isEmpty || !violations.isEmpty }
}

extension UnitCopy {
  mutating func noteBudget(_ arena: TableArena) {
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
  func subtracting(_ other: Self) -> Self {
    var result: Self = [:]
    for (kind, count) in self where count > other[kind, default: 0] {
      result[kind] = count - other[kind, default: 0]
    }
    return result
  }
}
