// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

@testable import Carving

struct RootCarverTests {
  /// Two devices on bus 0 and one on bus 1, four-level tables at 0x4000 and 0x5000.
  static let legacy: [UInt64: UInt64] = [
    0x1000: 0x2001, 0x1010: 0x3001,
    0x2100: 0x4001, 0x2108: 0x402,
    0x2180: 0x5001, 0x2188: 0x502,
    0x3000: 0x4001, 0x3008: 0x402,
    0x4000: 0x6003, 0x5000: 0x7003, 0x6000: 0x8003,
  ]

  /// One device with a second-stage PASID entry.
  static let scalable: [UInt64: UInt64] = [
    0x1000: 0x2001,
    0x2200: 0x3001,
    0x3000: 0x4001,
    0x4000: 0x5089, 0x4008: 0x2,
    0x5000: 0x6003,
  ]

  func carve(_ words: [UInt64: UInt64]) -> [CarvedRoot] {
    let memory = SyntheticMemory(words, memory: [0..<0x1000], gaps: .excluded)
    return RootCarver(memory: memory).roots(in: memory.storedFrames)
  }

  @Test func `a legacy root is found with its devices`() {
    let roots = carve(Self.legacy)
    #expect(roots.map(\.address) == [PhysicalAddress(0x1000)])
    #expect(roots.first?.mode == .legacy)
    #expect(roots.first?.sourceIDs == [0x10, 0x18, 0x100])
    #expect(roots.first?.domainIDs == [4, 5])
    #expect(roots.first?.score == 100)
  }

  @Test func `a scalable root is found and told from a legacy one`() {
    let roots = carve(Self.scalable)
    #expect(roots.map(\.address) == [PhysicalAddress(0x1000)])
    #expect(roots.first?.mode == .scalable)
    #expect(roots.first?.sourceIDs == [0x10])
    #expect(roots.first?.domainIDs == [2])
  }

  struct Change: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var address: UInt64
    var word: UInt64

    init(_ name: String, _ address: UInt64, _ word: UInt64) {
      testDescription = name
      self.address = address
      self.word = word
    }
  }

  @Test(arguments: [
    Change("a root entry has a reserved bit", 0x1020, 0x3003),
    Change("a root entry points beyond memory", 0x1020, 0x1000_0001),
    Change("a root entry points to the root", 0x1020, 0x1001),
    Change("a context entry has a reserved bit", 0x2100, 0x4011),
    Change("a context entry has the reserved type", 0x2100, 0x400d),
    Change("a context entry has no address width", 0x2108, 0x400),
    Change("a context entry has bits without being present", 0x2200, 0x4000),
    Change("a context entry points beyond memory", 0x2100, 0x1000_0001),
    Change("a top table's entry points beyond memory", 0x4008, 0x1000_0003),
  ])
  func `a legacy root with one thing wrong is none`(_ change: Change) {
    var words = Self.legacy
    words[change.address] = change.word
    #expect(carve(words).isEmpty)
  }

  @Test(arguments: [
    Change("a context entry has a reserved bit", 0x2200, 0x3021),
    Change("the PASID directory is empty", 0x3000, 0),
    Change("the PASID entry has a reserved type", 0x4000, 0x51c9),
    Change("the PASID entry has a reserved bit", 0x4000, 0x5489),
    Change("the PASID table is empty", 0x4000, 0),
  ])
  func `a scalable root with one thing wrong is none`(_ change: Change) {
    var words = Self.scalable
    words[change.address] = change.word
    #expect(carve(words).isEmpty)
  }

  @Test func `a damaged context entry among many costs points, not the root`() {
    var words = Self.legacy
    // Two more sound devices, and one with the reserved type.
    for slot: UInt64 in [0x20, 0x28] {
      words[0x2000 + slot * 16] = 0x5001
      words[0x2008 + slot * 16] = 0x502
    }
    words[0x2300] = 0x400d
    words[0x2308] = 0x402
    let roots = carve(words)
    #expect(roots.map(\.address) == [PhysicalAddress(0x1000)])
    #expect(roots.first?.score == 95)
    #expect(roots.first?.sourceIDs.contains(0x30) == false)
    #expect(roots.first?.reasons.contains("1 context entry is damaged") == true)
  }

  @Test func `missing context tables cost points, not the root`() {
    // The table of bus 1 is not in the dump.
    let words = Self.legacy.filter { $0.key >> 12 != 3 }
    let roots = carve(words)
    #expect(roots.map(\.address) == [PhysicalAddress(0x1000)])
    #expect(roots.first?.missingTables == 1)
    #expect((roots.first?.score ?? 0) < 100)
  }

  @Test func `a page whose tables are all missing is no root`() {
    #expect(carve([0x1000: 0x2001]).isEmpty)
  }

  @Test func `pages of random words hold no root`() {
    let seed = UInt64.random(in: 0...(.max))
    print("let seed: UInt64 = \(seed)")
    var state = seed
    func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 16
    }
    var words: [UInt64: UInt64] = [:]
    // Pointers into memory with some low bits, as page tables have them.
    for frame: UInt64 in 1..<64 {
      for _ in 0..<40 {
        words[frame << 12 | (next() & 0x1ff) << 3] = next() & 0x3f_f000 | next() & 0x63
      }
    }
    #expect(carve(words).isEmpty)
  }
}
