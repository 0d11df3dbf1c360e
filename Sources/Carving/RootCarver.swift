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
  /// At most this many roots are returned, best first; a machine has a dozen units.
  public var limit = 256

  /// At most this many pages with the shape of a root are looked into.
  ///
  /// Real dumps have a handful; in one that was made to cost time the rest is passed by.
  public var candidateLimit = 1 << 14

  /// Ranges of memory, in frames, sorted and joined.
  private let ranges: [Range<UInt64>]

  public init(memory: any PhysicalMemory) {
    self.memory = memory
    var joined: [Range<UInt64>] = []
    for range in memory.memoryFrames.sorted(by: { $0.lowerBound < $1.lowerBound })
    where !range.isEmpty {
      if let last = joined.last, range.lowerBound <= last.upperBound {
        joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        joined.append(range)
      }
    }
    ranges = joined
  }

  /// Looks at every page of `frames`.
  ///
  /// - Parameters:
  ///   - frames: those that the dump holds, in frames.
  ///   - progress: called now and then with the number of pages seen.
  /// - Returns: by address.
  public func roots(
    in frames: some Sequence<Range<UInt64>>, progress: (UInt64) -> Void = { _ in }
  ) -> [CarvedRoot] {
    var found: [CarvedRoot] = []
    var seen: UInt64 = 0
    var candidates = 0
    for range in frames {
      for frame in range {
        seen &+= 1
        if seen & 0xffff == 0 { progress(seen) }
        guard let page = try? memory.page(frame), hasShape(page) else { continue }
        candidates += 1
        guard candidates <= candidateLimit else { break }
        if let root = candidate(page, at: PhysicalAddress(frame << 12)) { found.append(root) }
        if found.count > 2 * limit { found = best(found) }
      }
    }
    return best(found).sorted { $0.address < $1.address }
  }

  private func best(_ roots: [CarvedRoot]) -> [CarvedRoot] {
    Array(roots.sorted { ($1.score, $0.address) < ($0.score, $1.address) }.prefix(limit))
  }

  /// What can be said about one page; `nil` if it is no root table.
  public func root(at address: PhysicalAddress) -> CarvedRoot? {
    guard let page = try? memory.page(address.frame), hasShape(page) else { return nil }
    return candidate(page, at: address.pageBase)
  }

  // MARK: The page itself

  /// Whether every word is zero or a pointer into memory with its present bit.
  ///
  /// Almost every page fails in its first words.
  private func hasShape(_ page: Page) -> Bool {
    var present = 0
    for index in 0..<Page.wordCount {
      let word = page[word: index]
      if word == 0 { continue }
      guard word & 0xfff == 1, isMemory(word) else { return false }
      present += 1
    }
    return present > 0
  }

  private func isMemory(_ word: UInt64) -> Bool {
    let frame = (word & ~0xfff) >> 12
    guard frame != 0 else { return false }
    let index = ranges.partitioningIndex { $0.upperBound > frame }
    return index < ranges.count && ranges[index].contains(frame)
  }

  private func candidate(_ page: Page, at address: PhysicalAddress) -> CarvedRoot? {
    // A legacy root has nothing in the upper halves.
    let hasUpper = (0..<256).contains { page[word: 2 * $0 + 1] != 0 }
    var results: [CarvedRoot] = []
    if !hasUpper, let legacy = read(page, at: address, mode: .legacy) { results.append(legacy) }
    if let scalable = read(page, at: address, mode: .scalable) { results.append(scalable) }
    return results.filter { $0.score >= threshold }.max { $0.score < $1.score }
  }

  // MARK: What lies below

  /// What was counted below a candidate.
  private struct Tally {
    var contextTables = 0
    var missing = 0
    var sourceIDs: [UInt16] = []
    var domainIDs: Set<UInt16> = []
    var tables: Set<PhysicalAddress> = []
    var passThrough = 0
    var pasidEntries = 0
    var copied = 0
    var soundTables = 0
    var unreadTables = 0
    /// Context entries, with what they lead to, that are neither zero nor sound.
    var damaged = 0
  }

  /// From so many damaged entries on, a page is not looked at further.
  private static let damageLimit = 64

  private func read(
    _ page: Page, at address: PhysicalAddress, mode: TableMode
  ) -> CarvedRoot? {
    var tally = Tally()
    var buses: [UInt8] = []
    for bus in 0..<256 {
      for half in 0..<2 {
        let word = page[word: 2 * bus + half]
        guard word != 0 else { continue }
        let table = PhysicalAddress(word & ~0xfff)
        // A table that points to itself is none.
        guard table != address else { return nil }
        if buses.last != UInt8(bus) { buses.append(UInt8(bus)) }
        guard let contexts = try? memory.page(table.frame) else {
          tally.missing += 1
          continue
        }
        let isSound =
          mode == .legacy
          ? legacyContexts(contexts, bus: UInt8(bus), &tally)
          : scalableContexts(contexts, bus: UInt8(bus), half: half, &tally)
        guard isSound else { return nil }
        tally.contextTables += 1
      }
    }
    guard tally.contextTables > 0, !tally.sourceIDs.isEmpty else { return nil }
    guard tally.damaged * 2 < tally.sourceIDs.count || tally.damaged == 0 else { return nil }
    guard checkTables(&tally, mode: mode) else { return nil }
    return result(tally, buses: buses, address: address, mode: mode)
  }

  private func legacyContexts(_ page: Page, bus: UInt8, _ tally: inout Tally) -> Bool {
    for devfn in 0..<256 {
      let low = page[word: 2 * devfn]
      let high = page[word: 2 * devfn + 1]
      if low == 0, high == 0 { continue }
      let entry = ContextEntry(words: [low, high])
      let translates = [.secondStage, .secondStageDeviceTLB].contains(entry.translationType)
      // Bits without the present one are no damage of Linux's tables but another kind of page.
      guard entry.isPresent else { return false }
      guard entry.reservedBits(.permissive).isEmpty, (1...3).contains(entry.addressWidth),
        translates ? isMemory(low) : entry.translationType == .passThrough
      else {
        tally.damaged += 1
        guard tally.damaged < Self.damageLimit else { return false }
        continue
      }
      if translates {
        tally.tables.insert(entry.secondStageTable)
      } else {
        tally.passThrough += 1
      }
      if high & 0x8 != 0 { tally.copied += 1 }
      tally.sourceIDs.append(UInt16(bus) << 8 | UInt16(devfn))
      tally.domainIDs.insert(entry.domainID)
    }
    return true
  }

  private func scalableContexts(
    _ page: Page, bus: UInt8, half: Int, _ tally: inout Tally
  ) -> Bool {
    for slot in 0..<128 {
      let words = (0..<4).map { page[word: 4 * slot + $0] }
      if words == [0, 0, 0, 0] { continue }
      let entry = ScalableContextEntry(words: words)
      guard entry.isPresent else { return false }
      guard entry.reservedBits(.permissive).isEmpty, isMemory(words[0]),
        directory(of: entry, &tally)
      else {
        tally.damaged += 1
        guard tally.damaged < Self.damageLimit else { return false }
        continue
      }
      tally.sourceIDs.append(UInt16(bus) << 8 | UInt16(half << 7 | slot))
    }
    return true
  }

  /// The first page of the directory stands for all of it: 32,768 PASIDs.
  private func directory(of context: ScalableContextEntry, _ tally: inout Tally) -> Bool {
    guard let page = try? memory.page(context.pasidDirectory.frame) else {
      tally.missing += 1
      return true
    }
    var present = 0
    for index in 0..<min(Page.wordCount, context.pasidDirectoryEntryCount) {
      let entry = PASIDDirectoryEntry(rawValue: page[word: index])
      if entry.rawValue == 0 { continue }
      guard entry.isPresent, entry.reservedBits(.permissive).isEmpty, isMemory(entry.rawValue)
      else { return false }
      present += 1
      // One table of 64 PASIDs is enough to know the kind; hostile directories cost nothing more.
      guard present <= 4 else { continue }
      guard let table = try? memory.page(entry.pasidTable.frame) else {
        tally.missing += 1
        continue
      }
      guard pasidTable(table, &tally) else { return false }
    }
    return present > 0
  }

  private func pasidTable(_ page: Page, _ tally: inout Tally) -> Bool {
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
        guard isMemory(entry.firstStageTable.rawValue) else { return false }
        if entry.translationType == .firstStage { tally.tables.insert(entry.firstStageTable) }
      case .secondStage:
        guard isMemory(entry.secondStageTable.rawValue), (3...5).contains(entry.secondStageLevels)
        else { return false }
        tally.tables.insert(entry.secondStageTable)
      case .passThrough: tally.passThrough += 1
      default: return false
      }
      tally.pasidEntries += 1
      tally.domainIDs.insert(entry.domainID)
    }
    return true
  }

  /// The top page tables: their entries are zero or point into memory.
  private func checkTables(_ tally: inout Tally, mode: TableMode) -> Bool {
    for table in tally.tables {
      guard let page = try? memory.page(table.frame) else {
        tally.unreadTables += 1
        continue
      }
      for index in 0..<Page.wordCount {
        let word = page[word: index]
        // A top table's entries point to tables: never to pages above memory.
        if word & 3 != 0, !isMemory(word & 0xf_ffff_ffff_f000) { return false }
      }
      tally.soundTables += 1
    }
    return true
  }

  private func result(
    _ tally: Tally, buses: [UInt8], address: PhysicalAddress, mode: TableMode
  ) -> CarvedRoot? {
    let ways = mode == .legacy ? tally.sourceIDs.count : tally.pasidEntries
    guard ways > 0 || mode == .scalable && tally.missing > 0 else { return nil }
    func count(_ number: Int, _ one: String, _ many: String) -> String {
      "\(number) \(number == 1 ? one : many)"
    }
    var score = 30
    var reasons = [
      "all 256 entries are zero or a pointer into memory; "
        + "\(count(buses.count, "bus is", "buses are")) present"
    ]
    score += 10 * min(3, ways)
    reasons.append(
      "\(count(tally.contextTables, "context table", "context tables")) with "
        + "\(count(tally.sourceIDs.count, "sound entry", "sound entries"))"
        + (tally.damaged == 0 ? ", no other" : ""))
    if tally.damaged > 0 {
      score -= 5 * min(4, tally.damaged)
      reasons.append("\(count(tally.damaged, "context entry is", "context entries are")) damaged")
    }
    if mode == .scalable {
      reasons.append("\(count(tally.pasidEntries, "PASID entry", "PASID entries")), all sound")
    }
    if tally.soundTables > 0 {
      score += tally.soundTables > 1 ? 30 : 20
      reasons.append(
        "\(count(tally.soundTables, "top page table", "top page tables")) with entries that are "
          + "zero or point into memory")
    } else if tally.tables.isEmpty, tally.passThrough > 0 {
      score += 10
      reasons.append("every context passes through, there is no page table to look at")
    }
    if buses.first == 0 {
      score += 10
    } else {
      reasons.append("bus 0 is missing")
    }
    if tally.missing > 0 {
      score -= 10
      reasons.append("\(count(tally.missing, "table is", "tables are")) not in the dump")
    }
    if tally.unreadTables > 0 {
      reasons.append(
        "\(count(tally.unreadTables, "top page table is", "top page tables are")) not in the dump")
    }
    if tally.copied > 0 {
      reasons.append(
        "\(count(tally.copied, "context is", "contexts are")) marked as taken over from another "
          + "kernel")
    }
    return CarvedRoot(
      address: address, mode: mode, score: max(0, min(100, score)), reasons: reasons,
      buses: buses, sourceIDs: tally.sourceIDs, domainIDs: tally.domainIDs.sorted(),
      tables: tally.tables.sorted(), missingTables: tally.missing + tally.unreadTables,
      copiedContexts: tally.copied)
  }
}
