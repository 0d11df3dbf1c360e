// SPDX-License-Identifier: Apache-2.0

import Assembly
import DumpFixtures
import Evidence
import LinuxIOMMU
import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

@testable import Faults

/// Causes of refused requests, one kind a row: a small machine with one unit and device 00:02.0.
struct FaultCauseTests {
  /// Root table at 0x1000, context of 00:02.0 in domain 4 with a table of four levels at 0x4000.
  /// Mapped: 0xffff0000 to 0xffff2fff of an allocation of four pages, 0xffff5000 of one that has
  /// three pages and a hole in its middle, 0xffffe000 read-only, 0x1_0000_3000, and an identity
  /// region 0xf0000.
  static let words: [UInt64: UInt64] = [
    0x1000: 0x2001, 0x2100: 0x4001, 0x2108: 0x402,
    0x4000: 0x5003, 0x5018: 0x6003, 0x6ff8: 0x7003,
    0x7f80: 0x9003, 0x7f88: 0xa003, 0x7f90: 0xb003, 0x7fa0: 0x11003, 0x7fb0: 0x12003,
    0x7ff0: 0xd001,
    0x5020: 0x8003, 0x8000: 0xe003, 0xe018: 0xc003,
    0x5000: 0xf003, 0xf000: 0x10003, 0x10780: 0xf0003,
  ]

  static func range(_ start: UInt64, _ end: UInt64, _ state: IOVARange.State) -> IOVARange {
    IOVARange(start: IOVirtualAddress(start), end: IOVirtualAddress(end), state: state)
  }

  static let allocated = [
    range(0xf0000, 0xfffff, .reserved), range(0xc000_0000, 0xfebf_ffff, .reserved),
    range(0xfff0_0000, 0xfff0_0fff, .cached), range(0xfff0_1000, 0xfff0_1fff, .pending),
    range(0xfff0_2000, 0xfff0_2fff, .unmapped), range(0xffff_0000, 0xffff_3fff, .live),
    range(0xffff_4000, 0xffff_6fff, .live), range(0xffff_e000, 0xffff_efff, .live),
    range(0x1_0000_3000, 0x1_0000_3fff, .live),
  ]

  static let device = PCIFunction(bus: 0, devfn: 0x10)

  static func evidence(type: DomainType = .dma) -> DumpEvidence {
    let memory = SyntheticMemory(words)
    var state = RemappingState(
      DumpSummary(file: "x", format: "elf"), memory: memory,
      roots: [RootTable(address: PhysicalAddress(0x1000), mode: .legacy, origin: .given)])
    state.devices = [
      Device(device: .pci(device), unit: "given0", domainID: 4, driver: "nvme"),
      Device(
        device: .pci(PCIFunction(bus: 0, devfn: 0x18)), unit: "given0",
        aliases: [.pci(PCIFunction(bus: 3, devfn: 0))], driver: "e1000"),
    ]
    state.reservedRegions = [
      ReservedRegion(
        kind: .rmrr, segment: 0, base: IOVirtualAddress(0xf0000), end: IOVirtualAddress(0xfffff),
        devices: [.pci(device)], mapped: .partial)
    ]
    state.memoryMap = [
      MemoryRegion(
        kind: .memory, start: PhysicalAddress(0x100000), end: PhysicalAddress(0x3fff_ffff))
    ]
    for index in state.domains.indices {
      state.domains[index].iova = IOVASpace(allocated: allocated, unallocated: [])
      state.domains[index].type = type
    }
    return DumpEvidence(state: state, memory: memory)
  }

  static func explainer(_ evidence: DumpEvidence = evidence()) -> FaultExplainer {
    var explainer = FaultExplainer(evidence)
    explainer.resources = [
      LinuxMemoryRegion(range: 0x100000...0x3fff_ffff, name: "System RAM"),
      LinuxMemoryRegion(range: 0xc000_0000...0xfebf_ffff, name: "PCI Bus 0000:00"),
      LinuxMemoryRegion(range: 0xe000_0000...0xe00f_ffff, name: "0000:00:03.0"),
      LinuxMemoryRegion(range: 0xe000_0000...0xe00f_ffff, name: "e1000"),
    ]
    explainer.interruptSources = [0xf0f8]
    return explainer
  }

  static func explain(
    _ text: String, _ explainer: FaultExplainer = explainer()
  ) throws -> FaultExplanation {
    try #require(explainer.explain(FaultLog(pasted: text).records).first)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var address: UInt64
    var reason: Int
    var rules: [FaultExplanation.Rule]
    var words: String

    init(
      _ name: String, _ address: UInt64, _ reason: Int, _ rules: [FaultExplanation.Rule],
      _ words: String
    ) {
      testDescription = name
      self.address = address
      self.reason = reason
      self.rules = rules
      self.words = words
    }
  }

  @Test(arguments: [
    Case(
      "the tail that rounding leaves", 0xffff_3000, 5, [.overrun],
      "rounded 3 pages up to 4"),
    Case("a hole amid an allocation", 0xffff_5000, 5, [.revoked], "a part of it was unmapped"),
    Case("an allocation without mapping", 0xfff0_2000, 5, [.revoked], "nothing of the allocation"),
    Case("a page behind an allocation", 0xffff_7000, 5, [.overrun], "next to the live buffer"),
    Case("behind by more than its length", 0xffff_c000, 5, [.notInAllocator], "no live range"),
    Case("in front of a buffer", 0xffff_d000, 5, [.overrun], "in front of"),
    Case("flush queue", 0xfff0_1000, 5, [.staleTLB], "flush queue"),
    Case("cache", 0xfff0_0000, 5, [.unmappedInUse], "per-CPU cache"),
    Case("null", 0, 5, [.nullPointer], "null address"),
    Case("an offset from null", 0x8000, 5, [.nullPointer], "small offset"),
    Case("a live address cut to 32 bits", 0x3000, 6, [.truncated, .nullPointer], "0x100003000"),
    Case("a BAR", 0xe000_1000, 5, [.peerToPeer], "BAR of 0000:00:03.0 (e1000)"),
    Case("a window alone", 0xc800_0000, 5, [.peerToPeer], "no BAR"),
    Case("memory of nobody", 0x2000_0000, 5, [.notInAllocator], "long before the crash"),
    Case("the device's own region, lost", 0xf1000, 5, [.reservedRegion], "mapping was lost"),
    Case("the device's own region, mapped", 0xf0000, 5, [.reservedRegion], "is mapped now"),
    Case("too many bits, reported so", 0x1_0000_0000_0000, 4, [.beyondWidth], "49 bits"),
    Case(
      "too many bits, reported as a bad pointer", 0xffff_ffff_ef80_4000, 7, [.beyondWidth], "sign"),
    Case("all ones", 0xffff_ffff_ffff_f000, 7, [.beyondWidth], "all ones"),
    Case("the interrupt window", 0xfee0_0000, 5, [.interruptWindow], "never translated"),
    Case("a read-only page", 0xffff_e000, 5, [.noPermission], "read-only"),
    Case("mapped since", 0xffff_0000, 5, [.mappedNow], "let the request through"),
  ])
  func `the cause fits`(_ test: Case) throws {
    let kind = test.reason == 6 ? "Read" : "Write"
    let found = try Self.explain(
      "DMAR: [DMA \(kind) NO_PASID] Request device [00:02.0] fault addr \(test.address.hexadecimal) "
        + "[fault reason \(UInt64(test.reason).hexadecimal)] x")
    #expect(found.diagnosis.map(\.rule) == test.rules)
    #expect(
      found.diagnosis.contains { $0.message.contains(test.words) },
      "\(found.diagnosis.map(\.message))")
    #expect(found.diagnosis.contains { $0.confirm != nil || !$0.evidence.isEmpty })
  }

  private func write(_ address: UInt64, device: String = "00:02.0", _ reason: Int = 5) -> String {
    "DMAR: [DMA Write NO_PASID] Request device [\(device)] fault addr \(address.hexadecimal) "
      + "[fault reason \(UInt64(reason).hexadecimal)] x"
  }

  @Test func `no neighbour is a region of firmware`() throws {
    // 0x100000 is the page behind the region, 0xef000 the one in front.
    for address: UInt64 in [0x10_0000, 0xe_f000] {
      let found = try Self.explain(write(address))
      #expect(!found.diagnosis.contains { $0.rule == .overrun })
    }
  }

  @Test func `a record of all ones is of no device`() throws {
    let found = try Self.explain(
      "DMAR: [DMA Read PASID 0xfffff] Request device [ff:1f.7] fault addr 0xfffffffffffff000 "
        + "[fault reason 0xff] Unknown")
    #expect(found.diagnosis.map(\.rule) == [.unreachable])
    #expect(found.isKnownDevice == nil && found.translation == nil)
    // A device that sends all ones is another matter.
    let sent = try Self.explain(write(0xffff_ffff_ffff_f000))
    #expect(sent.diagnosis.map(\.rule) == [.beyondWidth])
  }

  @Test func `a reason of scalable mode is none of a legacy unit`() throws {
    let found = try Self.explain(write(0x2000_0000, 0x71))
    #expect(found.diagnosis.first?.rule == .otherMachine)
    #expect(
      found.diagnosis[0].message.contains("0x71") && found.diagnosis[0].message.contains("given0"))
    // 0x31 is what a unit in legacy mode says of a request with PASID.
    for reason in [0x5, 0x31] {
      let own = try Self.explain(write(0x2000_0000, reason))
      #expect(!own.diagnosis.contains { $0.rule == .otherMachine })
    }
  }

  @Test func `an address that no kernel translates is not blamed on the crash kernel`() throws {
    var explainer = Self.explainer()
    explainer.crashKernel = { _ in
      [.init(policy: "linux", moments: [.init(name: "T3", fate: "remapped", code: 5)])]
    }
    for address: UInt64 in [0xffff_c900_0012_3000, 0xfee0_0000] {
      let found = try Self.explain(write(address), explainer)
      #expect(!found.diagnosis.contains { $0.rule == .crashKernel })
    }
    let mapped = try Self.explain(write(0xffff_0000), explainer)
    #expect(mapped.diagnosis.contains { $0.rule == .crashKernel })
  }

  @Test func `registers of the platform are no peer`() throws {
    var explainer = Self.explainer()
    explainer.resources.append(LinuxMemoryRegion(range: 0xfed0_0000...0xfed0_03ff, name: "HPET 0"))
    let found = try Self.explain(write(0xfed0_0000), explainer)
    #expect(found.diagnosis.map(\.rule) == [.peerToPeer])
    #expect(found.diagnosis[0].confirm?.contains("processor's alone") == true)
  }

  @Test func `a domain of VFIO has addresses of its owner`() throws {
    let found = try Self.explain(
      write(0x2000_0000), Self.explainer(Self.evidence(type: .unmanaged)))
    #expect(found.diagnosis.map(\.rule) == [.unmanaged])
  }

  @Test func `a segment without unit is told, and no page is said to be missing`() throws {
    let found = try Self.explain(
      "DMAR: [DMA Write NO_PASID] Request device [0001:73:00.1] fault addr 0x0 [fault reason 0x05] x"
    )
    #expect(found.diagnosis.map(\.rule) == [.noUnit])
    #expect(found.diagnosis[0].message.contains("segment 1"))
  }

  @Test func `a kernel without a unit has refused nothing`() throws {
    var evidence = Self.evidence()
    evidence.state.units = []
    evidence.state.contexts = []
    evidence.state.dump.typesFrom = "btf"
    var found = try Self.explain(write(0x1000), Self.explainer(evidence))
    #expect(found.diagnosis.map(\.rule) == [.noUnit])
    #expect(found.diagnosis[0].message.contains("no remapping unit"))
    evidence.state.observations = [
      Observation(.otherDriver, structure: .kernel(.otherUnit, number: "ivhd0"))
    ]
    found = try Self.explain(write(0x1000), Self.explainer(evidence))
    #expect(found.diagnosis.map(\.rule) == [.noUnit])
    #expect(found.diagnosis[0].message.contains("ivhd0"))
  }

  @Test func `a line without segment takes the only one that has the device`() throws {
    var evidence = Self.evidence()
    evidence.state.devices.append(
      Device(device: .pci(PCIFunction(segment: 7, bus: 9, devfn: 0)), driver: "mlx5_core"))
    let found = try Self.explain(write(0, device: "09:00.0"), Self.explainer(evidence))
    #expect(found.device.segment == 7)
    #expect(found.driver == "mlx5_core")
  }

  @Test func `an alias without context is told from a removed device`() throws {
    let alias = try Self.explain(write(0x1000, device: "03:00.0", 2))
    #expect(alias.diagnosis.map(\.rule) == [.noContext])
    #expect(alias.diagnosis[0].message.contains("alias of 0000:00:03.0"))
    let unknown = try Self.explain(write(0x1000, device: "05:00.0", 2))
    #expect(unknown.diagnosis[0].message.contains("no such device"))
    #expect(unknown.isKnownDevice == false)
  }

  @Test func `legacy and scalable numbers of one condition are one fault`() throws {
    #expect(try Self.explain(write(0x2000_0000, 0x79)).stillFaults == true)
    #expect(try Self.explain(write(0x1000, device: "05:00.0", 0x39)).stillFaults == true)
    #expect(try Self.explain(write(0x2000_0000, 0x2)).stillFaults == false)
  }

  @Test func `a request with PASID on a unit in legacy mode has its own answer`() throws {
    let found = try Self.explain(
      "DMAR: [DMA Read PASID 0x2] Request device [00:02.0] fault addr 0x1000 [fault reason 0x31] x")
    #expect(found.diagnosis.map(\.rule).first == .pasid)
    #expect(!found.diagnosis.contains { $0.rule == .noContext })
  }

  @Test func `where no rule fits, what was excluded is told`() throws {
    // The MSI window of the allocator: free for no driver, no bridge's, no region.
    var evidence = Self.evidence()
    evidence.state.domains[0].iova?.allocated.append(
      Self.range(0x2_0000_0000, 0x2_0000_ffff, .reserved))
    let found = try Self.explain(write(0x2_0000_0000), Self.explainer(evidence))
    #expect(found.diagnosis.map(\.rule) == [.unknown])
    #expect(found.excluded.count >= 5)
  }

  @Test func `neighbouring pages are one entry, others are not`() {
    let lines = (0..<40).map { write(0x2000_0000 + 0x2000 * UInt64($0)) }
    let apart = [write(0x1000_0000), write(0x1800_0000)]
    let found = Self.explainer().explain(
      FaultLog(pasted: (lines + apart).joined(separator: "\n")).records)
    #expect(found.map(\.pages) == [40, 1, 1])
    #expect(found[0].count == 40)
    #expect(found[0].iova == IOVirtualAddress(0x2000_0000))
    #expect(found[0].lastIOVA == IOVirtualAddress(0x2004_e000))
  }

  @Test func `pages of a range with different fates are different entries`() {
    // Eight pages: four of an allocation's end and its tail, four that are free.
    let lines = (0..<16).map { write(0xffff_0000 + 0x1000 * UInt64($0)) }
    let found = Self.explainer().explain(FaultLog(pasted: lines.joined(separator: "\n")).records)
    #expect(found.reduce(0) { $0 + $1.count } == 16)
    #expect(found.contains { $0.diagnosis.map(\.rule) == [.overrun] })
    #expect(found.contains { $0.diagnosis.map(\.rule) == [.mappedNow] })
  }

  // MARK: The crash kernel

  private func outlook(_ reason: FaultReason?) -> FaultExplainer {
    var explainer = Self.explainer()
    explainer.crashKernel = { _ in
      [
        .init(
          policy: "linux",
          moments: [
            .init(name: "T1", fate: "translated", code: nil),
            .init(name: "T2", fate: "blocked", code: reason?.rawValue),
          ]),
        .init(
          policy: "disable",
          moments: [
            .init(name: "T1", fate: "physical", code: nil),
            .init(name: "T2", fate: "blocked", code: FaultReason.rootEntryNotPresent.rawValue),
          ]),
      ]
    }
    return explainer
  }

  @Test func `a line that only the crash kernel gives is said to be its`() throws {
    let line = write(0xffff_0000, 0x2)
    var explainer = outlook(.contextEntryNotPresent)
    let doubtful = try Self.explain(line, explainer)
    #expect(doubtful.diagnosis.last?.rule == .crashKernel)
    // The crashed kernel's log begins at boot and does not hold it.
    var log = FaultLog()
    log.begin = 0
    log.end = 90_000_000_000
    explainer.logOfDump = log
    let sure = try Self.explain(line, explainer)
    #expect(sure.diagnosis.first?.rule == .crashKernel)
    #expect(sure.diagnosis.first?.message.contains("better than the crashed one") == true)
    // It does hold it.
    explainer.logOfDump?.records = FaultLog(pasted: line).records
    let own = try Self.explain(line, explainer)
    #expect(own.isInLogOfDump)
    #expect(!own.diagnosis.contains { $0.rule == .crashKernel })
  }

  @Test func `the crash kernel is not blamed for what the tables give`() throws {
    let found = try Self.explain(write(0x2000_0000), outlook(.noWritePermission))
    #expect(!found.diagnosis.contains { $0.rule == .crashKernel })
    #expect(found.crashKernel == nil)
  }

  @Test func `asked for the crash kernel, the answer is of it`() throws {
    var explainer = outlook(.contextEntryNotPresent)
    explainer.isOfCrashKernel = true
    let fits = try Self.explain(write(0x2000_0000, 0x2), explainer)
    #expect(fits.diagnosis.map(\.rule) == [.crashKernel])
    #expect(fits.diagnosis[0].message.hasPrefix("forecast"))
    let other = try Self.explain(write(0x2000_0000, 5), explainer)
    #expect(other.diagnosis.contains { $0.message.contains("the forecast has no such fault") })
    let cleared = try Self.explain(write(0x2000_0000, 0x1), explainer)
    #expect(cleared.crashKernel?.policy == "disable")
    #expect(cleared.diagnosis[0].message.contains("does not take the tables over"))
    explainer.crashKernel = { _ in [] }
    let unknown = try Self.explain(write(0x2000_0000, 5), explainer)
    #expect(unknown.diagnosis.first?.rule == .crashKernel)
  }

  @Test func `Xen's lines are not held against Linux's tables`() throws {
    let found = try Self.explain(
      "(XEN) [VT-D]DMAR:[DMA Write] Request device [0000:00:02.0] fault addr 8c000\n"
        + "(XEN) [VT-D]DMAR: reason 05 - x")
    #expect(found.diagnosis.map(\.rule) == [.otherHypervisor])
    #expect(found.translation == nil)
    #expect(found.severity == .warning)
  }
}
