// SPDX-License-Identifier: Apache-2.0

import Evidence
import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import Testing
import Translation

@testable import History

/// Descriptors that an invalidation queue still holds.
struct InvalidationHistoryTests {
  private static func evidence(
    _ words: [UInt64: UInt64], _ queue: InvalidationQueue, absences: [UInt64: Absence] = [:]
  ) -> DumpEvidence {
    var state = RemappingState(dump: DumpSummary(file: "d", format: "elf"))
    state.units = [
      Unit(
        name: "dmar0", segment: 0, registerBase: 0xfed9_0000, capability: 0, extendedCapability: 0,
        tableMode: .legacy, invalidationQueue: queue)
    ]
    state.contexts = [
      Context(
        unit: "dmar0", device: "0000:00:02.0", pasid: nil, translation: .secondStage, domainID: 9,
        levels: 4, table: 0x5000, faultProcessingDisabled: false, raw: [], entry: 0)
    ]
    return DumpEvidence(
      state: state, memory: SyntheticMemory(words, absences: absences, memory: [1..<3]))
  }

  private static func queue(
    _ entries: Int = 8, size: Int = 16, head: Int = 2, base: PhysicalAddress? = 0x1000
  ) -> InvalidationQueue {
    InvalidationQueue(
      base: base, entries: entries, descriptorSize: size, freeHead: head, freeTail: 0, pending: 0)
  }

  @Test func `the ring is read from its oldest slot to its newest`() {
    let descriptors = InvalidationHistory.descriptors(
      Self.evidence(
        [
          // Slot 7 is older than 0 and 1; slots 2 to 6 were never filled.
          0x1000: 0x9_00a2, 0x1008: 0x7000, 0x1010: 0x1_0000_0025, 0x1018: 0x2000,
          0x1070: 0x9_0011,
        ], Self.queue()))
    #expect(descriptors.map(\.slot) == [7, 0, 1])
    #expect(descriptors.map(\.age) == [3, 2, 1])
    #expect(descriptors.map(\.type) == ["context cache", "IOTLB", "wait"])
    #expect(descriptors.map(\.isWait) == [false, false, true])
    #expect(descriptors[1].raw == [0x9_00a2, 0x7000])
    #expect(descriptors[0].devices == ["0000:00:02.0"])
    #expect(descriptors[1].devices == ["0000:00:02.0"])
    // Without the kernel's structures nothing is known of their state.
    #expect(descriptors.allSatisfy { $0.status == nil && !$0.isPending })
    #expect(
      descriptors[1].fields.map(\.name).filter { ["DID", "ADDR"].contains($0) } == ["DID", "ADDR"])
  }

  @Test func `wide descriptors have four words`() {
    let descriptors = InvalidationHistory.descriptors(
      Self.evidence([0x1020: 0x9_00a2, 0x1038: 0x55], Self.queue(size: 32)))
    #expect(descriptors.map(\.raw) == [[0x9_00a2, 0, 0, 0x55]])
    #expect(descriptors.map(\.slot) == [1])
  }

  @Test(arguments: [
    queue(0, head: 0), queue(8192, head: 0), queue(head: 8), queue(head: -1), queue(size: 24),
    queue(base: nil), queue(base: PhysicalAddress(.max - 8)),
  ])
  func `a ring that cannot be one has nothing`(queue: InvalidationQueue) {
    #expect(
      InvalidationHistory.descriptors(Self.evidence([0x1000: 0x9_00a2], queue)).isEmpty)
  }

  @Test func `slots that are not aligned or not in the dump are passed by`() {
    // The last slot of the page would end behind it.
    let crooked = Self.evidence(
      [0x1ff8: 0x9_00a2, 0x2008: 0x9_00a2], Self.queue(2, head: 0, base: 0x1ff8))
    #expect(InvalidationHistory.descriptors(crooked).map(\.slot) == [1])
    let torn = Self.evidence(
      [0x1000: 0x9_00a2, 0x2000: 0x9_00a2], Self.queue(512, head: 0),
      absences: [0x1000: .excluded])
    #expect(InvalidationHistory.descriptors(torn).map(\.slot) == [256])
  }
}
