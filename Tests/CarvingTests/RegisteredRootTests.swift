// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing

@testable import Carving

/// Root tables that the units' own registers point to.
struct RegisteredRootTests {
  private func carve(
    _ roots: [RootTable], _ words: [UInt64: UInt64] = RootCarverTests.legacy
  ) -> [CarvedRoot] {
    let memory = SyntheticMemory(words, memory: [0..<0x1000], gaps: .excluded)
    return RootCarver(memory: memory).roots(registered: roots)
  }

  private func root(_ address: UInt64, _ mode: TableMode = .legacy) -> RootTable {
    RootTable(
      address: PhysicalAddress(address), mode: mode, origin: .given,
      registers: UnitRegisters(unit: "dmar1"))
  }

  @Test func `what the register points to is said to be the hardware's word`() throws {
    let roots = carve([root(0x1000)])
    let found = try #require(roots.first)
    #expect(roots.count == 1 && found.isRegistered)
    #expect(found.address == PhysicalAddress(0x1000) && found.mode == .legacy && found.score == 100)
    #expect(found.sourceIDs == [0x10, 0x18, 0x100])
    #expect(
      found.reasons.first
        == "hardware evidence: dmar1 had its root table here, in legacy mode (RTADDR)")
  }

  @Test func `a root below every threshold is listed too`() {
    var words = RootCarverTests.legacy
    words[0x2100] = 0x4011
    let roots = carve([root(0x1000)], words)
    #expect(roots.map(\.isRegistered) == [true])
  }

  @Test func `two units with one root are one row`() {
    #expect(carve([root(0x1000), root(0x1000)]).count == 1)
  }

  @Test(arguments: [
    (0x4000, "the page does not have the shape of a root table"),
    (0x50_0000, "the page cannot be read"),
  ])
  func `what is no root table any more is listed with the reason`(
    address: UInt64, words: String
  ) throws {
    let found = try #require(carve([root(address)]).first)
    #expect(found.score == 0 && found.isRegistered && found.sourceIDs.isEmpty)
    #expect(found.reasons.count == 2 && found.reasons[1].hasPrefix(words))
  }

  @Test func `a mode that the tables below do not have is said`() throws {
    let found = try #require(carve([root(0x1000, .scalable)]).first)
    #expect(found.mode == .scalable)
    #expect(
      found.reasons.prefix(2) == [
        "hardware evidence: dmar1 had its root table here, in scalable mode (RTADDR)",
        "by their shape the tables below are those of legacy mode",
      ])
  }
}
