// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Memory
import MemoryFixtures
import Testing

@testable import Assembly
@testable import LinuxIOMMU
@testable import RemappingState

/// What domains map that they should not, and tables in wrong hands.
struct TargetTests {
  private func observations(
    _ words: [UInt64: UInt64], _ kind: Observation.Kind,
    _ prepare: (inout LinuxIOMMU) -> Void = { _ in }
  ) -> [Observation] {
    var kernel = AssemblyTests.kernel
    prepare(&kernel)
    let memory = SyntheticMemory(
      AssemblyTests.tables.merging(words) { $1 }, memory: [0..<0x800])
    return AssemblyTests.state(kernel, memory).observations.filter { $0.kind == kind }
  }

  @Test func aHealthyStateHasNone() {
    for kind: Observation.Kind in [.sharedTable, .mapsTable, .freePage, .interruptEntry] {
      #expect(observations([:], kind).isEmpty)
    }
  }

  @Test func aTablePageOfTwoDomainsIsNoted() throws {
    // The last level of the unattached domain is the one of domain 5.
    let found = observations([0x3_2000: 0x1_3003], .sharedTable)
    #expect(found.count == 1)
    let first = try #require(found.first)
    #expect(first.address == 0x1_3000)
    #expect(first.domainID == 8)
    #expect(first.detail.hasPrefix("it is also a table of level 1 of dmar0 domain-id 5"))
  }

  @Test func aTablePageAtAnotherLevelOfAnotherDomainIsNoted() throws {
    let found = observations([0x3_2000: 0x1_2003], .sharedTable)
    #expect(found.first?.subject == "page table of level 1")
    #expect(found.first?.detail.contains("level 2") == true)
  }

  @Test func oneKernelDomainOnTwoUnitsSharesItsTables() {
    let found = observations([:], .sharedTable) { kernel in
      var second = kernel.units[0]
      second.name = "dmar1"
      second.sequence = 1
      second.kernelObject = KernelAddress(0xffff_0000_0000_2000)
      second.rootTable = nil
      kernel.units.append(second)
      kernel.domains[0].ids[1] = 9
    }
    #expect(found.isEmpty)
  }

  @Test(arguments: [
    (0x1000 as UInt64, "root table of dmar0"), (0x2000, "context table of dmar0"),
    (0x1_0000, "page table of level 4 of dmar0 domain-id 5"), (0x3_3000, "page table of level 1"),
  ])
  func aMappingOfATableIsNoted(_ table: UInt64, _ what: String) throws {
    let found = observations([0x1_3018: table | 3], .mapsTable)
    #expect(found.count == 1)
    let first = try #require(found.first)
    #expect(first.address == HexWord(table))
    #expect(first.subject.hasPrefix(what))
    #expect(first.detail == "IOVA 0x3000 maps it with access rw")
    #expect(first.count == 1)
  }

  @Test func neighboursOfTablesAreNoTables() {
    #expect(observations([0x1_3010: 0x4003], .mapsTable).isEmpty)
    #expect(observations([0x1_3010: 0x3003], .mapsTable).isEmpty)
  }

  // MARK: Interrupt entries

  private func entry(
    _ low: UInt64, _ high: UInt64, x2APIC: Bool? = true,
    sources: [KernelAddress: Set<UInt16>]? = [:]
  ) -> [Observation] {
    observations([0x40_0000: low, 0x40_0008: high], .interruptEntry) { kernel in
      kernel.units[0].interruptRemapping = LinuxInterruptRemapping(
        table: PhysicalAddress(0x40_0000), count: 256, bitmap: [UInt8](repeating: 0xff, count: 32),
        x2APIC: x2APIC)
      kernel.interruptSources = sources
    }
  }

  @Test func entriesThatTheKernelWritesAreFine() {
    // Fixed delivery, vector 0x30, to APIC 1, from 00:01.0.
    #expect(entry(0x1_0030_0001, 0x4_0008).isEmpty)
    // An alias, another function of a device whose function is not compared, and no check at all.
    #expect(entry(0x1_0030_0001, 0x4_0001).isEmpty)
    #expect(entry(0x1_0030_0001, 0x7_000f).isEmpty)
    #expect(entry(0x1_0030_0001, 0x0).isEmpty)
    // A range of buses, and NMI, which has no vector.
    #expect(entry(0x1_0030_0001, 0x8_0105).isEmpty)
    #expect(entry(0x1_0000_0081, 0x4_0008).isEmpty)
    // An I/O APIC.
    #expect(
      entry(
        0x1_0030_0001, 0x4_f0f8, sources: [KernelAddress(0xffff_0000_0000_1000): [0xf0f8]]
      ).isEmpty)
    // An entry that is not present may hold anything.
    #expect(entry(.max & ~1, .max).isEmpty)
  }

  @Test(arguments: [
    (0x1_0010_7001 as UInt64, 0x4_0008 as UInt64, "reserved bits"),
    (0x1_0030_0001, 0x10_0000_0008, "reserved bits"),
    (0x1_0003_0001, 0x4_0008, "vector 3 is one of the processor's own exceptions"),
    (0x1_0030_0061, 0x4_0008, "delivery mode 3 is reserved"),
    (0x1_0030_0001, 0x4_0500, "no device, I/O APIC or HPET has its source id 05:00.0"),
    (0x1_0030_0001, 0x8_0501, "its range of buses ends before it begins"),
    (0x1_0030_0001, 0xc_0008, "its source validation type is reserved"),
  ])
  func entriesThatTheKernelCannotHaveWrittenAreNoted(
    _ low: UInt64, _ high: UInt64, _ reason: String
  ) throws {
    let found = entry(low, high)
    #expect(found.count == 1)
    let first = try #require(found.first)
    #expect(first.detail.hasPrefix(reason))
    #expect(first.subject == "interrupt-remapping entry 0")
    #expect(first.address == 0x40_0000)
  }

  @Test func destinationsHaveEightBitsWithoutX2APIC() {
    #expect(entry(0x0000_0100_0030_0001, 0x4_0008, x2APIC: false).isEmpty)
    #expect(entry(0x0000_0001_0030_0001, 0x4_0008, x2APIC: false).count == 1)
  }

  @Test func sourcesAreNotJudgedWhereNotAllAreKnown() {
    #expect(entry(0x1_0030_0001, 0x4_0500, sources: nil).isEmpty)
  }

  // MARK: The memory map

  @Test func regionsOfOneKindAreJoinedAndOthersLeftOut() {
    let map = MemoryRegion.regions([
      LinuxMemoryRegion(range: 0x2000...0x2fff, name: "System RAM"),
      LinuxMemoryRegion(range: 0x1000...0x1fff, name: "System RAM"),
      LinuxMemoryRegion(range: 0x1800...0x18ff, name: "Kernel code"),
      LinuxMemoryRegion(range: 0x1900...0x19ff, name: "Kernel rodata"),
      LinuxMemoryRegion(range: 0x5000...0x5fff, name: "reserved"),
      LinuxMemoryRegion(range: 0x6000...0x6fff, name: "ACPI Non-volatile Storage"),
      LinuxMemoryRegion(range: 0x8000...0x8fff, name: "PCI Bus 0000:00"),
      LinuxMemoryRegion(range: 0x2400...0x24ff, name: "Crash kernel"),
    ])
    #expect(
      map.map { "\($0.kind.rawValue) \($0.start) \($0.end)" } == [
        "memory 0x1000 0x2fff", "kernel-text 0x1800 0x18ff", "kernel-data 0x1900 0x19ff",
        "crash-kernel 0x2400 0x24ff", "firmware 0x5000 0x6fff",
      ])
  }
}
