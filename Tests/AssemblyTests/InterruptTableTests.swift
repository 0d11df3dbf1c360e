// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

@testable import Assembly
@testable import LinuxIOMMU

/// What an interrupt-remapping table holds, and which of its entries cannot be the kernel's.
struct InterruptTableTests {
  private static let table: UInt64 = 0x1_0000
  /// 00:1f.0, which every sound entry here names.
  private static let source: UInt64 = 0x00f8

  /// Present, fixed delivery, vector 0x31, validated by its source id.
  private static let sound: (low: UInt64, high: UInt64) = (0x0031_0001, 1 << 18 | source)

  private static func read(
    _ entries: [Int: (low: UInt64, high: UInt64)], count: Int = 256, sources: Set<UInt16>? = [0xf8],
    bitmap: [UInt8]? = nil, x2APIC: Bool? = true, absences: [UInt64: Absence] = [:]
  ) -> (facts: InterruptRemapping, observations: [Observation]) {
    var words: [UInt64: UInt64] = [:]
    for (index, entry) in entries {
      words[table + UInt64(index) * 16] = entry.low
      words[table + UInt64(index) * 16 + 8] = entry.high
    }
    let memory = SyntheticMemory(words, absences: absences, memory: [0x10..<0x14])
    var reader = InterruptTableReader(
      memory, sources: sources, unit: .permissive, name: "dmar0")
    let facts = reader.read(
      LinuxInterruptRemapping(
        table: PhysicalAddress(table), count: count, bitmap: bitmap, x2APIC: x2APIC))
    return (facts, reader.observations)
  }

  @Test(
    arguments: [
      (sound.low, sound.high, nil),
      // Lowest priority needs a vector as well; an NMI has none.
      (0x0000_0021, sound.high, "vector 0 is one of the processor's own exceptions"),
      (0x000f_0001, sound.high, "vector 15 is one of the processor's own exceptions"),
      (0x0000_0081, sound.high, nil),
      (0x0031_0061, sound.high, "delivery mode 3 is reserved"),
      (0x0031_00c1, sound.high, "delivery mode 6 is reserved"),
      // Reserved bits win over everything else.
      (0x0100_0001, sound.high, "reserved bits "),
      (0x0031_0001, 1 << 20 | sound.high, "reserved bits "),
      // Another source, and one that differs only in the function bits that are not compared.
      (0x0031_0001, 1 << 18 | 0x0108, "no device, I/O APIC or HPET has its source id 01:01.0"),
      (0x0031_0001, 1 << 18 | 0x00fc, "no device, I/O APIC or HPET has its source id 00:1f.4"),
      (0x0031_0001, 1 << 18 | 1 << 16 | 0x00fc, nil),
      (0x0031_0001, 1 << 18 | 2 << 16 | 0x00fe, nil),
      (
        0x0031_0001, 1 << 18 | 2 << 16 | 0x00ff,
        "no device, I/O APIC or HPET has its source id 00:1f.7"
      ),
      (0x0031_0001, 1 << 18 | 3 << 16 | 0x00ff, nil),
      // A range of buses: first in the high byte, last in the low one.
      (0x0031_0001, 2 << 18 | 0x0207, nil),
      (0x0031_0001, 2 << 18 | 0x0702, "its range of buses ends before it begins"),
      (0x0031_0001, 3 << 18 | source, "its source validation type is reserved"),
      // Nothing is validated, or the entry is not present.
      (0x0031_0001, 0x0108, nil),
      (0x0000_0060, 3 << 18 | 0x0108, nil),
    ] as [(UInt64, UInt64, String?)])
  func `what is impossible is said of the entry`(low: UInt64, high: UInt64, problem: String?) {
    let (facts, observations) = Self.read([3: (low, high)])
    #expect(facts.present == Int(low & 1))
    guard let problem else {
      #expect(observations.isEmpty)
      return
    }
    #expect(observations.count == 1)
    #expect(observations.first?.detail.hasPrefix(problem) == true)
    #expect(observations.first?.kind == .interruptEntry)
    #expect(observations.first?.structure == .interruptEntry(index: 3))
    #expect(observations.first?.address == HexWord(Self.table + 0x30))
    #expect(observations.first?.word == HexWord(low))
  }

  @Test func `without all sources no source is called unknown`() {
    #expect(Self.read([0: (0x0031_0001, 1 << 18 | 0x0108)], sources: nil).observations.isEmpty)
    #expect(!Self.read([0: (0x0031_0001, 1 << 18 | 0x0108)], sources: []).observations.isEmpty)
  }

  @Test func `destinations beyond 8 bits need the kernel's word for them`() {
    let wide: [Int: (low: UInt64, high: UInt64)] = [
      0: (Self.sound.low | 0x1234_5678 << 32, Self.sound.high)
    ]
    #expect(Self.read(wide, x2APIC: true).observations.isEmpty)
    // Where the kernel does not tell, they are no fault.
    #expect(Self.read(wide, x2APIC: nil).observations.isEmpty)
    #expect(Self.read(wide, x2APIC: false).observations.count == 1)
    let narrow: [Int: (low: UInt64, high: UInt64)] = [
      0: (Self.sound.low | 0x5600 << 32, Self.sound.high)
    ]
    #expect(Self.read(narrow, x2APIC: false).observations.isEmpty)
  }

  @Test func `entries are counted by what they are`() {
    let (facts, observations) = Self.read(
      [
        0: Self.sound, 1: (Self.sound.low & ~1, Self.sound.high), 2: (0x0031_8001, Self.sound.high),
        9: Self.sound,
      ], bitmap: [0b0000_0101, 0])
    #expect(facts.present == 3)
    #expect(facts.posted == 1)
    #expect(facts.allocated == 2)
    #expect(facts.presentButFree == [9])
    #expect(facts.unreadablePages == 0)
    #expect(observations.isEmpty)
    // Without a bitmap nothing is known to be free; what it does not cover neither.
    #expect(Self.read([9: Self.sound]).facts.presentButFree.isEmpty)
    #expect(Self.read([9: Self.sound]).facts.allocated == nil)
    #expect(Self.read([9: Self.sound], bitmap: [0]).facts.presentButFree.isEmpty)
  }

  @Test func `a page that is missing is counted, and the rest is read`() {
    let (facts, _) = Self.read(
      [0: Self.sound, 256: Self.sound, 512: Self.sound], count: 768,
      absences: [Self.table + 0x1000: .excluded])
    #expect(facts.present == 2)
    #expect(facts.unreadablePages == 1)
    // A table beyond all memory ends in a count too.
    let reader = Self.read([:], count: 2048)
    #expect(reader.facts.unreadablePages == 4)
  }

  @Test func `of many impossible entries a few are listed, and all are counted`() {
    let bad = (low: UInt64(0x0031_0061), high: Self.sound.high)
    let (_, observations) = Self.read(
      Dictionary(uniqueKeysWithValues: (0..<100).map { ($0, bad) }))
    #expect(observations.count == 16)
    #expect(observations.map(\.count).reduce(0, +) == 100)
    #expect(observations.dropLast().allSatisfy { $0.count == 1 })
  }

  @Test func `a table without an address is none`() {
    var reader = InterruptTableReader(
      SyntheticMemory(), sources: [], unit: .permissive, name: "dmar0")
    let facts = reader.read(
      LinuxInterruptRemapping(table: nil, count: 65536, bitmap: [0xff], x2APIC: nil))
    #expect(facts.present == 0)
    #expect(facts.allocated == 8)
    #expect(reader.observations.isEmpty)
  }
}
