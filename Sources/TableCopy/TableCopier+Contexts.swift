// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
public import VTd

// Root and contexts copied, page tables left where they are: what Linux does.
extension TableCopier {
  /// Copies the root and context tables and leaves everything below in the old memory, as Linux
  /// does, entry by entry as its code reads them.
  public mutating func copyContexts(_ unit: TranslationTables, rule: ContextCopyRule) -> UnitCopy {
    counted { $0.contexts(unit, rule) }
  }

  private mutating func contexts(_ unit: TranslationTables, _ rule: ContextCopyRule) -> UnitCopy {
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
    _ unit: TranslationTables, _ old: TranslationTablesReading, _ root: PhysicalAddress,
    _ copy: inout UnitCopy
  ) {
    let new = TranslationTables(
      memory: ArenaOverlay(arena, over: unit.memory), rootTable: root, mode: unit.mode,
      capabilities: unit.capabilities
    ).read(budget: budget.contexts)
    copy.pair(old, new)
  }
}
