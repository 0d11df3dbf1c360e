// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

@testable import Commands

/// Registers of the machine that the program runs on.
struct LiveRegisterTests {
  @Test func `each unit has its registers, or a warning that names it`() {
    // Where firmware lies, which reading does not disturb; few processes may.
    let units = ["dmar0", "dmar1"].map { name in
      Unit(
        name: name, segment: 0, registerBase: 0xf_0000, capability: 0, extendedCapability: 0,
        tableMode: .legacy)
    }
    var warnings: [String] = []
    let read = RegisterFile.live(units) { warnings.append($0) }
    #expect(read.count + warnings.count == 2)
    for (unit, warning) in zip(units, warnings) {
      #expect(warning.hasPrefix("\(unit.name): its registers cannot be read: /dev/mem"))
    }
  }

  /// A unit that is only a root table in memory has no place; what lies at 0 are no registers.
  @Test func `no registers are read where nothing tells their place`() {
    let unit = Unit(
      name: "carved0", segment: 0, registerBase: 0, capability: 0, extendedCapability: 0,
      tableMode: .legacy)
    var warnings: [String] = []
    #expect(RegisterFile.live([unit]) { warnings.append($0) }.isEmpty)
    #expect(
      warnings == ["carved0: its registers cannot be read: nothing tells where they are"])
  }
}
