// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
public import VTd

// Tables that let nothing through.
extension TableCopier {
  /// Builds tables that let nothing through but the contexts of chosen source ids.
  ///
  /// Every bus has a context table, and entries that are not present have fault processing disabled:
  /// hardware then drops requests without a record. With absent root entries instead, each request
  /// would be reported, because that fault cannot be silenced.
  public mutating func block(_ unit: TranslationTables, except kept: Set<UInt16>) -> UnitCopy {
    counted { $0.blocked(unit, kept) }
  }

  private mutating func blocked(_ unit: TranslationTables, _ kept: Set<UInt16>) -> UnitCopy {
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
}
