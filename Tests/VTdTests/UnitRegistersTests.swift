// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import Testing

@testable import VTd

/// Registers as words, and what they say.
struct UnitRegistersTests {
  /// QEMU's unit under Linux 7.3 in scalable mode, before the panic.
  private static let scalable: [UInt64: UInt64] = [
    0x08: 0x80d2_008c_222f_0606, 0x10: 0x0000_4800_80f0_0f4a, 0x18: 0xc700_0000_0000_0000,
    0x20: 0x249_7400, 0x30: 0, 0x80: 0x740, 0x88: 0x780, 0x90: 0x122_4801, 0xb8: 0x130_000f,
    0x220: 0xffff_f000, 0x228: 0x4000_0002_0000_0100,
  ]

  private static func unit(_ name: String, _ base: UInt64, root: UInt64? = nil) -> Unit {
    Unit(
      name: name, segment: 2, registerBase: PhysicalAddress(base),
      capability: 0x80d2_008c_222f_0606, extendedCapability: 0x0000_4800_80f0_0f4a,
      tableMode: .scalable, rootTable: root.map { PhysicalAddress($0) })
  }

  @Test func `tables and queues are decoded`() {
    let registers = UnitRegisters(words: Self.scalable, of: nil)
    #expect(registers.rootTable == PhysicalAddress(0x249_7000))
    #expect(registers.tableMode == .scalable)
    #expect(registers.status(bit: 31) == true)
    #expect(registers.interruptTable == PhysicalAddress(0x130_0000))
    #expect(registers.interruptEntries == 65536)
    // Two pages of descriptors of 32 bytes.
    #expect(
      registers.queue
        == UnitRegisters.Queue(
          base: PhysicalAddress(0x122_4000), entries: 256, descriptorSize: 32, head: 58, tail: 60))
    #expect(registers.queue?.pending == 2)
    // The record's F bit is clear: somebody has read it.
    #expect(registers.faultRecords.isEmpty)
    #expect(registers.givenRoot?.mode == .scalable)
  }

  @Test func `a root counts only while the unit reads it`() {
    var words = Self.scalable
    words[0x18] = 0x4700_0000_0000_0000
    #expect(UnitRegisters(words: words, of: nil).givenRoot == nil)
    words = Self.scalable
    words[0x20] = 0x249_7c00
    #expect(UnitRegisters(words: words, of: nil).tableMode == nil)
    #expect(UnitRegisters(words: words, of: nil).givenRoot == nil)
    words = Self.scalable.mapValues { _ in .max }
    let dead = UnitRegisters(words: words, of: nil)
    #expect(!dead.isAnswered)
    #expect(dead.givenRoot == nil)
    #expect(dead.queue == nil)
  }

  @Test func `the unit is told by its base, its capabilities, its root`() {
    let registers = UnitRegisters(words: Self.scalable, of: nil)
    let first = Self.unit("dmar0", 0xfed9_0000)
    let second = Self.unit("dmar1", 0xfed9_1000, root: 0x249_7000)
    #expect(registers.identified(among: [first]).unit == "dmar0")
    // Both can do the same; only one has that root.
    #expect(registers.identified(among: [first, second]).unit == "dmar1")
    #expect(registers.identified(among: [first, first]).unit == nil)
    var based = registers
    based.registerBase = PhysicalAddress(0xfed9_0000)
    #expect(based.identified(among: [first, second]).unit == "dmar0")
    var other = first
    other.capability = 0x1234
    #expect(registers.identified(among: [other]).unit == nil)
    other.capability = 0
    #expect(registers.identified(among: [other]).unit == "dmar0")
  }

  @Test func `a fault record has the segment of its unit`() {
    var words = Self.scalable
    words[0x228] = 0xc000_0002_0000_0100
    let registers = UnitRegisters(words: words, of: nil)
      .identified(among: [Self.unit("dmar0", 0xfed9_0000)])
    #expect(registers.faultRecords.map(\.device) == [PCIFunction(segment: 2, bus: 1, devfn: 0)])
    #expect(registers.faultRecords.map(\.isWrite) == [false])
  }
}
