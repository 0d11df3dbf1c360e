// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import Testing

@testable import Audit

/// What rules ask of runs, of more runs than one processor is left with.
struct MappingFactsTests {
  @Test(arguments: [10, 200_000])
  func `facts are those of each run`(_ count: Int) {
    var random = SeededGenerator(seed: 22)
    let memory: ClosedRange<UInt64> = 0...0x3fff_ffff
    let text: ClosedRange<UInt64> = 0x100_0000...0x1ff_ffff
    let crash: ClosedRange<UInt64> = 0x3000_0000...0x3000_ffff
    // The window of interrupts and the width of addresses both lie in the last third.
    let first = 0xfee0_0000 - UInt64(count * 2 / 3) << 12
    let runs = (0..<count).map { index in
      Run(
        iova: IOVirtualAddress(first + UInt64(index) << 12), length: 0x1000,
        physical: PhysicalAddress(random.next() % (memory.upperBound + 1) & ~0xfff),
        access: random.chance(50) ? .read : .write)
    }
    var state = RemappingState(
      dump: DumpSummary(file: "vmcore", format: "elf"),
      domains: [
        Domain(
          unit: nil, domainID: 1, type: .dma, stage: .second,
          mapping: Mapping(leaves: count, bytes: UInt64(count) << 12, runs: runs))
      ])
    state.memoryMap = zip(
      [MemoryRegion.Kind.memory, .kernelText, .crashKernel], [memory, text, crash]
    )
    .map {
      MemoryRegion(
        kind: $0, start: PhysicalAddress($1.lowerBound), end: PhysicalAddress($1.upperBound))
    }
    let facts = MappingFacts(state).domains[0]
    func hits(_ range: ClosedRange<UInt64>) -> [Run] { runs.filter { $0.targets.overlaps(range) } }
    for (found, range) in [(facts.kernelText, text), (facts.crashKernel, crash)] {
      let hits = hits(range)
      #expect(found.runs.count == hits.count)
      #expect(found.runs.first == hits.first)
      #expect(found.isWritable == hits.contains { $0.access != .read })
    }
    #expect(facts.outsideMemory.count == 0)
    #expect(
      facts.interruptWindow == runs.first { $0.addresses.overlaps(0xfee0_0000...0xfeef_ffff) })
    state.memoryMap[0].end = PhysicalAddress(0x2fff_ffff)
    let outside = runs.filter { $0.targets.upperBound > 0x2fff_ffff }
    #expect(MappingFacts(state).domains[0].outsideMemory.count == outside.count)
    #expect(MappingFacts(state).domains[0].outsideMemory.first == outside.first)
  }
}
