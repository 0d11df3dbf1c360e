// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Evidence
import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

@testable import Faults

/// Refused interrupts: judged by reason, sender and source validation.
struct InterruptCauseTests {
  /// A table of 256 entries at 0x20000: entry 1 absent, 2 for 00:02.0 alone, 3 for all functions of
  /// 00:02, 4 for buses 3 to 4, 5 for everyone, 6 with reserved bits.
  private func explain(
    _ device: String, _ index: Int, _ reason: Int, table: Bool = true
  ) throws -> FaultExplanation {
    var words = FaultCauseTests.words
    for (entry, low, high) in [
      (2, 1, 1 << 18 | 0x10), (3, 1, 1 << 18 | 3 << 16 | 0x10), (4, 1, 2 << 18 | 0x0304), (5, 1, 0),
      (6, 1 | 0x7000, 0),
    ] as [(UInt64, UInt64, UInt64)] {
      words[0x20000 + 16 * entry] = low
      words[0x20008 + 16 * entry] = high
    }
    var evidence = FaultCauseTests.evidence()
    evidence.memory = SyntheticMemory(words)
    if table {
      evidence.state.units[0].interruptRemapping = InterruptRemapping(
        table: PhysicalAddress(0x20000), entries: 256)
    }
    return try FaultCauseTests.explain(
      "DMAR: [INTR-REMAP] Request device [\(device)] fault index 0x\(String(index, radix: 16)) "
        + "[fault reason 0x\(String(reason, radix: 16))] x", FaultCauseTests.explainer(evidence))
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var device: String
    var index: Int
    var reason: Int
    var words: [String]

    init(_ name: String, _ device: String, _ index: Int, _ reason: Int, _ words: String...) {
      testDescription = name
      self.device = device
      self.index = index
      self.reason = reason
      self.words = words
    }
  }

  @Test(arguments: [
    Case("absent", "00:02.0", 1, 0x22, "not present", "0000:00:02.0 (nvme)"),
    Case("accepted now", "00:02.0", 2, 0x22, "accepts this source now"),
    Case("accepted by its qualifier", "00:02.5", 3, 0x22, "accepts this source now"),
    Case("accepted by its bus", "03:00.0", 4, 0x22, "accepts this source now"),
    Case("accepted without validation", "00:02.0", 5, 0x22, "accepts this source now"),
    Case("given away", "00:02.0", 4, 0x22, "buses 03 to 04", "freed"),
    Case("source refused", "00:03.0", 2, 0x26, "demands 0000:00:02.0"),
    Case("source refused, changed since", "00:02.0", 2, 0x26, "changed after the fault"),
    Case("source refused, freed since", "00:02.0", 1, 0x26, "freed since"),
    Case("source refused, no such device", "01:05.0", 2, 0x26, "no device has this source id"),
    Case("compatibility format", "f0:1f.0", 2, 0x25, "names no entry", "I/O APIC"),
    Case("reserved bits of the request", "00:02.0", 0, 0x20, "reserved bits"),
    Case("index beyond", "00:02.0", 0x900, 0x21, "256 entries"),
    Case("table out of reach", "00:02.0", 2, 0x23, "0x20000"),
    Case("entry corrupt still", "00:02.0", 6, 0x24, "still"),
    Case("entry corrupt then", "00:02.0", 2, 0x24, "written anew"),
    Case("posted descriptor", "00:02.0", 2, 0x27, "posts to a descriptor"),
    Case("alias", "03:00.0", 2, 0x26, "0000:00:03.0, whose requests arrive as"),
  ])
  func `the reason and the sender are judged`(_ test: Case) throws {
    let found = try explain(test.device, test.index, test.reason)
    #expect(found.diagnosis.map(\.rule) == [.interrupt])
    for words in test.words {
      #expect(found.diagnosis[0].message.contains(words), "\(found.diagnosis[0].message)")
    }
    // Nobody is called the sender of another device's interrupt who passes the validation.
    #expect(!found.diagnosis[0].message.contains("the entry belongs to 0000:"))
  }

  @Test func `a request in compatibility format names no entry`() throws {
    #expect(try explain("f0:1f.0", 2, 0x25).interrupt == nil)
    #expect(try explain("f0:1f.0", 2, 0x25).isKnownDevice == true)
    #expect(try explain("00:02.0", 2, 0x26).interrupt != nil)
  }

  @Test func `without a table only what needs none is told`() throws {
    #expect(try explain("00:02.0", 2, 0x22, table: false).diagnosis.map(\.rule) == [.unknown])
    #expect(try explain("00:02.0", 2, 0x25, table: false).diagnosis.map(\.rule) == [.interrupt])
  }
}
