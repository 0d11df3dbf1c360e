// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import TableCopy
import TableFixtures
import Testing
import VTd

/// Root and context tables copied as the kernels do it.
struct ContextCopyTests {
  private let base = PhysicalAddress(1 << 40)

  private func copy(_ unit: TranslationTables, _ rule: ContextCopyRule) -> (TableCopier, UnitCopy) {
    var copier = TableCopier(base: base)
    let copy = copier.copyContexts(unit, rule: rule)
    return (copier, copy)
  }

  @Test func aBitmapLeavesEntriesAsTheyAre() {
    let machine = LegacyMachine()
    machine.context(devfn: 0x10, table: 0x10_0000, domainID: 4)
    let (_, copy) = copy(machine.unit, ContextCopyRule(marker: .bitmap, readsHalves: false))
    #expect(copy.contexts.first?.new == [.exact(0x10_0001), .exact(0x402)])
    #expect(copy.copied == [0x10])
    #expect(copy.roots.map(\.old) == [0x2001])
    #expect(copy.roots.map(\.half) == [nil])
    #expect(copy.roots.map(\.new) == [.arena(0x1001)])
    #expect(copy.pageCount == 2)
  }

  @Test func theOldMarkerSetsBit67AndClearsBit11() {
    let machine = LegacyMachine()
    machine.context(devfn: 0x10, table: 0x10_0000, domainID: 4, low: 0x801)
    let (_, copy) = copy(machine.unit, ContextCopyRule(marker: .bit67, readsHalves: false))
    #expect(copy.contexts.first?.new == [.exact(0x10_0001), .exact(0x40a)])
  }

  @Test func anEmptyTableStillGetsAPage() {
    let machine = LegacyMachine()
    machine.memory.addPage(0x5000)
    machine.memory[0x1000 + 7 * 16] = 0x5001
    // A present entry with pointer 0 counts as absent, whatever its other bits.
    machine.memory[0x1000 + 8 * 16] = 0xff1
    let (_, copy) = copy(machine.unit, ContextCopyRule(marker: .bitmap, readsHalves: false))
    #expect(copy.roots.map(\.new) == [.arena(0x1001), .exact(0)])
    #expect(copy.contexts.isEmpty)
  }

  @Test func otherBitsOfARootEntryAreLost() {
    let machine = LegacyMachine()
    machine.context(devfn: 0, table: 0x10_0000)
    machine.memory[0x1000] |= 0xff0
    let (_, copy) = copy(machine.unit, ContextCopyRule(marker: .bitmap, readsHalves: false))
    #expect(copy.roots.first?.new == .arena(0x1001))
  }

  private func scalable(lower: Bool) -> TranslationTables {
    let memory = SyntheticMemory()
    if lower {
      memory[0x1000] = 0x2001
      memory[0x2000] = 0x4001
      memory[0x2010] = 0xffff
    }
    memory[0x1008] = 0x3001
    memory[0x3000 + 3 * 32] = 0x4001
    memory[0x3000 + 3 * 32 + 8] = 0x9_9900
    memory[0x4000] = 0x5001
    memory[0x5000] = 4 << 6 | 2 << 2 | 1
    memory[0x5008] = 1
    return TranslationTables(
      memory: memory, rootTable: PhysicalAddress(0x1000), mode: .scalable,
      capabilities: UnitCapabilities(
        capability: Capability(6 | 0b1110 << 8 | 47 << 16),
        extendedCapability: ExtendedCapability(1 << 6 | 1 << 43)))
  }

  @Test func onlyTheFirstHalfOfAWideEntryIsCopied() {
    let unit = scalable(lower: true)
    let (_, copy) = copy(unit, ContextCopyRule(marker: .bitmap, readsHalves: true))
    #expect(copy.roots.map(\.new) == [.arena(0x1001), .arena(0x2001)])
    #expect(copy.contexts.first?.old == [0x4001, 0, 0xffff, 0])
    #expect(copy.contexts.first?.new == [.exact(0x4001), .exact(0), .exact(0), .exact(0)])
    // Bits 8 to 23 of the second word, which are no domain-id in this mode.
    #expect(copy.domainIDs == [0, 0x999])
    #expect(copy.copied == [0, 0x83])
  }

  @Test func aBusWithOnlyAnUpperTable() {
    let unit = scalable(lower: false)
    let right = copy(unit, ContextCopyRule(marker: .bitmap, readsHalves: true)).1
    #expect(right.roots.map(\.new) == [.arena(0x1001)])
    #expect(right.roots.map(\.half) == [1])
    #expect(right.contexts.map(\.devfn) == [0x83])
    let wrong = copy(
      unit, ContextCopyRule(marker: .bitmap, readsHalves: true, upperOnly: .lowerHalf)
    ).1
    #expect(wrong.upperOnlyBuses == [0])
    // The lower half appears, the upper one is gone: devices 10 to 1f become devices 0 to f.
    #expect(wrong.roots.map(\.half) == [0, 1])
    #expect(wrong.roots.map(\.new) == [.arena(0x1001), .exact(0)])
    #expect(wrong.contexts.map(\.devfn) == [0x03, 0x83])
    #expect(wrong.contexts.map { $0.new == nil } == [false, true])
  }

  /// 5.0 to 5.19 in scalable mode: every 16 bytes of the lower table are an entry of their own.
  @Test func scalableTablesReadAsLegacyOnesBreak() {
    let unit = scalable(lower: true)
    let (_, copy) = copy(unit, ContextCopyRule(marker: .bit67, readsHalves: false))
    #expect(copy.roots.map(\.new) == [.arena(0x1001), .exact(0)])
    // Both halves of the first entry have their bit 0 set and count as entries; RID_PASID gets bit 3.
    #expect(copy.copied == [0, 1])
    #expect(
      copy.contexts.first?.new == [.exact(0x4001), .exact(8), .exact(0xf7ff), .exact(8)])
    #expect(copy.contexts.last?.new == nil)
  }

  @Test func aBlockedUnitLetsOnlyTheChosenThrough() {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.context(devfn: 0x10, table: top)
    machine.context(devfn: 0x18, table: top)
    machine.context(bus: 4, devfn: 0, table: top)
    var copier = TableCopier(base: base)
    let copy = copier.block(machine.unit, except: [0x18])
    // The root, one table for all buses, one for bus 0.
    #expect(copy.pageCount == 3)
    #expect(copy.roots.count == 256)
    #expect(copy.contexts.map { $0.new != nil } == [false, true, false])
    let root = copy.rootTable ?? base
    // Entries that are not present silence their faults; root entries are all present.
    guard let page = try? copier.arena.page(root.frame),
      let table = try? copier.arena.page(page[word: 2 * 77] >> 12)
    else {
      Issue.record("the new tables cannot be read")
      return
    }
    #expect((0..<256).allSatisfy { page[word: 2 * $0] & 1 == 1 })
    #expect((0..<256).allSatisfy { table[word: 2 * $0] == 0b10 })
  }
}
