// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
public import Memory
internal import RemappingState
internal import VTd

/// Finds root tables in memory with no symbols at all, by their shape and by what lies below them.
///
/// A root table is a page of 256 entries that are either zero or a page pointer with its present
/// bit and nothing else. That alone is weak, so each candidate's context tables, PASID tables and
/// top page tables must have the shape of what they would be: entries are zero or sound, and at
/// least one is present. Damaged tables are what people carve for, so an entry that is neither
/// costs points; one for every two sound ones makes another kind of page. A legacy root and a
/// scalable one look alike; the context tables tell them apart.
///
/// Pages that the dump lacks are no argument against a candidate, but at least one context table
/// has to be readable.
///
/// Source: VT-d specification, sections 9.1 to 9.6.
public struct RootCarver {
  public var memory: any PhysicalMemory
  /// Candidates with a lower score are not returned.
  public var threshold = 50
  /// The run that pays for the looking.
  public let work: WorkBudget

  /// At most this many roots are returned, best first; a machine has a dozen units.
  private static let limit = 512
  /// Each root may name all others that share tables with it.
  private static let rowsOfRoot = 1024

  let shape: RootShape

  public init(memory: any PhysicalMemory, work: WorkBudget = WorkBudget()) {
    self.memory = memory
    self.work = work
    shape = RootShape(memory.memoryFrames)
  }

  /// Looks at every page of `frames`, and then into those with the shape of a root: the ones that
  /// cost least first, so that pages that were made to cost time do not hide a real one.
  ///
  /// - Parameters:
  ///   - frames: those that the dump holds, in frames.
  ///   - progress: called now and then with the number of pages seen.
  /// - Returns: by address.
  public func roots(
    in frames: some Sequence<Range<UInt64>>, progress: (UInt64) -> Void = { _ in }
  ) -> [CarvedRoot] {
    var candidates = self.candidates(in: frames, progress: progress)
    candidates.sort { ($0.present, $0.frame) < ($1.present, $1.frame) }
    let limit = min(Self.limit, max(1, work.left(.runs) / Self.rowsOfRoot))
    var found: [CarvedRoot] = []
    var passedBy = 0
    var memo = CarvingMemo()
    for (index, candidate) in candidates.enumerated() {
      guard let page = try? memory.page(candidate.frame) else { continue }
      let root = self.candidate(page, at: PhysicalAddress(candidate.frame << 12), &memo)
      guard work.left(.entries) > 0 else {
        work.cut(
          .entries,
          "the look into \(candidates.count - index) of \(candidates.count) pages with the shape of a"
            + " root table")
        break
      }
      guard let root else { continue }
      found.append(root)
      if found.count > 2 * limit {
        passedBy += found.count - limit
        found = best(found, limit)
      }
    }
    passedBy += max(0, found.count - limit)
    if passedBy > 0 {
      work.cut(
        .runs, "the listing of root tables, \(passedBy) with the lowest scores are left out,")
    }
    return best(found, limit).sorted { $0.address < $1.address }
  }

  private func best(_ roots: [CarvedRoot], _ limit: Int) -> [CarvedRoot] {
    Array(roots.sorted { ($1.score, $0.address) < ($0.score, $1.address) }.prefix(limit))
  }

  /// What can be said about one page; `nil` if it is no root table.
  public func root(at address: PhysicalAddress) -> CarvedRoot? {
    guard let page = try? memory.page(address.frame), shape.pointers(page) != nil else {
      return nil
    }
    var memo = CarvingMemo()
    return candidate(page, at: address.pageBase, &memo)
  }

  // MARK: A candidate

  private func candidate(
    _ page: Page, at address: PhysicalAddress, _ memo: inout CarvingMemo
  ) -> CarvedRoot? {
    // A legacy root has nothing in the upper halves.
    let hasUpper = (0..<256).contains { page[word: 2 * $0 + 1] != 0 }
    var results: [CarvedRoot] = []
    if !hasUpper, let legacy = read(page, at: address, mode: .legacy, &memo) {
      results.append(legacy)
    }
    if let scalable = read(page, at: address, mode: .scalable, &memo) { results.append(scalable) }
    return results.filter { $0.score >= threshold }.max { $0.score < $1.score }
  }

  // MARK: What lies below

  private func read(
    _ page: Page, at address: PhysicalAddress, mode: TableMode, _ memo: inout CarvingMemo
  ) -> CarvedRoot? {
    var tally = CarvingTally()
    var buses: [UInt8] = []
    for bus in 0..<256 {
      for half in 0..<2 {
        let word = page[word: 2 * bus + half]
        guard word != 0 else { continue }
        let table = PhysicalAddress(word & ~0xfff)
        // A table that points to itself is none.
        guard table != address else { return nil }
        if buses.last != UInt8(bus) { buses.append(UInt8(bus)) }
        switch contexts(table, mode: mode, &memo) {
        case .missing: tally.missing += 1
        case .foreign: return nil
        case .table(let facts):
          // What is known already is only added up.
          work.spend(.entries, facts.slots.count)
          tally.add(facts, bus: UInt8(bus), upper: mode == .scalable && half == 1)
          guard tally.damaged < CarvingMemo.damageLimit, work.left(.entries) > 0 else {
            return nil
          }
        }
      }
    }
    guard tally.contextTables > 0, !tally.sourceIDs.isEmpty else { return nil }
    guard tally.damaged * 2 < tally.sourceIDs.count || tally.damaged == 0 else { return nil }
    countTables(&tally, &memo)
    return tally.root(at: address, mode: mode, buses: buses)
  }

  /// What a context table holds, looked at once however many roots lead to it.
  private func contexts(
    _ table: PhysicalAddress, mode: TableMode, _ memo: inout CarvingMemo
  ) -> CarvingMemo.ContextTable {
    let key = CarvingMemo.Key(frame: table.frame, isLegacy: mode == .legacy)
    if let known = memo.contexts[key] { return known }
    work.spend(.entries, Page.wordCount)
    var result = CarvingMemo.ContextTable.missing
    if let page = try? memory.page(table.frame) {
      let facts = mode == .legacy ? legacyContexts(page) : scalableContexts(page)
      let isSound = facts?.tables.allSatisfy { topTable($0, &memo) != .foreign } ?? false
      result = isSound ? facts.map { .table($0) } ?? .foreign : .foreign
    }
    memo.contexts[key] = result
    return result
  }

  private func legacyContexts(_ page: Page) -> CarvingMemo.ContextFacts? {
    var facts = CarvingMemo.ContextFacts()
    for devfn: UInt8 in 0...255 {
      let low = page[word: 2 * Int(devfn)]
      let high = page[word: 2 * Int(devfn) + 1]
      if low == 0, high == 0 { continue }
      let entry = ContextEntry(words: [low, high])
      let translates = [.secondStage, .secondStageDeviceTLB].contains(entry.translationType)
      // Bits without the present one are no damage of Linux's tables but another kind of page.
      guard entry.isPresent else { return nil }
      guard entry.reservedBits(.permissive).isEmpty, (1...3).contains(entry.addressWidth),
        translates ? shape.isMemory(low) : entry.translationType == .passThrough
      else {
        guard facts.countDamage() else { return nil }
        continue
      }
      if translates {
        facts.tables.insert(entry.secondStageTable)
      } else {
        facts.passThrough += 1
      }
      if high & 0x8 != 0 { facts.copied += 1 }
      facts.slots.append(devfn)
      facts.domainIDs.insert(entry.domainID)
    }
    return facts
  }

  private func scalableContexts(_ page: Page) -> CarvingMemo.ContextFacts? {
    var facts = CarvingMemo.ContextFacts()
    for slot: UInt8 in 0..<128 {
      let words = (0..<4).map { page[word: 4 * Int(slot) + $0] }
      if words == [0, 0, 0, 0] { continue }
      let entry = ScalableContextEntry(words: words)
      guard entry.isPresent else { return nil }
      guard entry.reservedBits(.permissive).isEmpty, shape.isMemory(words[0]),
        directory(of: entry, &facts)
      else {
        guard facts.countDamage() else { return nil }
        continue
      }
      facts.slots.append(slot)
    }
    return facts
  }

  /// The first page of the directory stands for all of it: 32,768 PASIDs.
  private func directory(
    of context: ScalableContextEntry, _ facts: inout CarvingMemo.ContextFacts
  ) -> Bool {
    work.spend(.entries, Page.wordCount)
    guard let page = try? memory.page(context.pasidDirectory.frame) else {
      facts.missing += 1
      return true
    }
    var present = 0
    for index in 0..<min(Page.wordCount, context.pasidDirectoryEntryCount) {
      let entry = PASIDDirectoryEntry(rawValue: page[word: index])
      if entry.rawValue == 0 { continue }
      guard entry.isPresent, entry.reservedBits(.permissive).isEmpty, shape.isMemory(entry.rawValue)
      else { return false }
      present += 1
      // One table of 64 PASIDs is enough to know the kind; hostile directories cost nothing more.
      guard present <= 4 else { continue }
      work.spend(.entries, Page.wordCount)
      guard let table = try? memory.page(entry.pasidTable.frame) else {
        facts.missing += 1
        continue
      }
      guard pasidTable(table, &facts) else { return false }
    }
    return present > 0
  }

  private func pasidTable(_ page: Page, _ facts: inout CarvingMemo.ContextFacts) -> Bool {
    for index in 0..<64 {
      let entry = PASIDEntry(page: page, word: 8 * index)
      guard entry.isPresent else {
        // A cleared entry may keep FPD alone.
        if entry.words[0] & ~2 != 0 { return false }
        continue
      }
      guard entry.reservedBits(.permissive).isEmpty else { return false }
      switch entry.translationType {
      case .firstStage, .nested:
        guard shape.isMemory(entry.firstStageTable.rawValue) else { return false }
        if entry.translationType == .firstStage { facts.tables.insert(entry.firstStageTable) }
      case .secondStage:
        guard shape.isMemory(entry.secondStageTable.rawValue),
          (3...5).contains(entry.secondStageLevels)
        else { return false }
        facts.tables.insert(entry.secondStageTable)
      case .passThrough: facts.passThrough += 1
      default: return false
      }
      facts.pasidEntries += 1
      facts.domainIDs.insert(entry.domainID)
    }
    return true
  }

  /// How many of the top page tables are in the dump.
  private func countTables(_ tally: inout CarvingTally, _ memo: inout CarvingMemo) {
    for table in tally.tables {
      if topTable(table, &memo) == .missing {
        tally.unreadTables += 1
      } else {
        tally.soundTables += 1
      }
    }
  }

  /// A top page table: its entries are zero or point into memory.
  private func topTable(
    _ table: PhysicalAddress, _ memo: inout CarvingMemo
  ) -> CarvingMemo.TopTable {
    if let known = memo.tables[table.frame] { return known }
    work.spend(.entries, Page.wordCount)
    var result = CarvingMemo.TopTable.missing
    if let page = try? memory.page(table.frame) {
      // A top table's entries point to tables: never to pages above memory.
      let isForeign = (0..<Page.wordCount).contains { index in
        let word = page[word: index]
        return word & 3 != 0 && !shape.isMemory(word & 0xf_ffff_ffff_f000)
      }
      result = isForeign ? .foreign : .sound
    }
    memo.tables[table.frame] = result
    return result
  }
}
