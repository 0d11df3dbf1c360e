// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import Testing

@testable import RemappingState

/// Memory that two domains may write, among more runs than one processor is left with.
struct SharedPagesTests {
  private static func domain(_ name: DeviceName, _ pages: [UInt64]) -> Domain {
    let runs = pages.enumerated().map { index, page in
      Run(
        iova: IOVirtualAddress(0x1_0000_0000 + UInt64(index) << 12), length: 0x1000,
        physical: PhysicalAddress(page << 12), access: index % 5 == 0 ? .read : .readWrite)
    }
    return Domain(
      unit: "dmar0", domainID: 1, type: .dma, devices: [name],
      mapping: Mapping(leaves: runs.count, bytes: UInt64(runs.count) << 12, runs: runs))
  }

  private static func writable(_ domain: Domain) -> Set<UInt64> {
    Set(
      (domain.mapping?.runs ?? []).filter { $0.access != .read }.map { $0.physical.rawValue >> 12 })
  }

  @Test func `every page of two domains is found, and no other`() {
    var random = SeededGenerator(seed: 21)
    func pages(_ count: Int) -> [UInt64] {
      // Far apart as a rule, so that slots are shared and most domains are alone in theirs.
      (0..<count).map { _ in random.chance(2) ? random.next() % 4096 : random.next() % (1 << 34) }
    }
    let names = (0..<3 as Range<UInt8>).map {
      DeviceName.pci(PCIFunction(segment: 0, bus: $0, devfn: 0))
    }
    let domains = zip(names, [150_000, 100_000, 70_000]).map { Self.domain($0, pages($1)) }
    var state = RemappingState(dump: DumpSummary(file: "vmcore", format: "elf"), domains: domains)
    state.devices = names.enumerated().map { Device(device: $1, unit: "dmar0", group: $0) }
    let search = SharedPages.search(state)
    #expect(search.isComplete)
    var found: [SharedPages.Pair: Set<UInt64>] = [:]
    for place in search.places {
      found[place.domains, default: []].formUnion(
        place.range.lowerBound >> 12...place.range.upperBound >> 12)
    }
    var expected: [SharedPages.Pair: Set<UInt64>] = [:]
    for second in domains.indices {
      for first in 0..<second {
        let both = Self.writable(domains[first]).intersection(Self.writable(domains[second]))
        expected[SharedPages.Pair(first, second)] = both
      }
    }
    #expect(found == expected)
    // One alone shares nothing.
    state.domains = [domains[0]]
    #expect(SharedPages.search(state) == SharedPages.Search())
  }
}
