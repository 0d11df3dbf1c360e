// SPDX-License-Identifier: Apache-2.0

import Assembly
import DumpFixtures
import Evidence
import Memory
import MemoryFixtures
import RemappingState
import Testing
import VTd

@testable import Faults

/// One unit, one device 00:02.0 in domain 4 with a four-level table.
struct FaultDiagnosisTests {
  static let words: [UInt64: UInt64] = [
    // Root, context.
    0x1000: 0x2001, 0x2100: 0x4001, 0x2108: 0x402,
    // 0xfffff000 read-write, 0xffffe000 read-only, 0x1_0000_3000 read-write.
    0x4000: 0x5003, 0x5018: 0x6003, 0x6ff8: 0x7003, 0x7ff8: 0x9003, 0x7ff0: 0xa001,
    0x5020: 0x8003, 0x8000: 0xb003, 0xb018: 0xc003,
  ]

  private func evidence(
    _ allocated: [IOVARange] = [], regions: [ReservedRegion] = [], driver: String? = "nvme"
  ) -> DumpEvidence {
    let memory = SyntheticMemory(Self.words)
    var state = RemappingState(
      DumpSummary(file: "x", format: "elf"), memory: memory,
      roots: [RootTable(address: PhysicalAddress(0x1000), mode: .legacy, origin: .given)])
    state.devices = [
      Device(
        device: .pci(PCIFunction(bus: 0, devfn: 0x10)), unit: "given0", domainID: 4,
        driver: driver)
    ]
    state.reservedRegions = regions
    for index in state.domains.indices {
      state.domains[index].iova = IOVASpace(allocated: allocated, unallocated: [])
    }
    return DumpEvidence(state: state, memory: memory)
  }

  private func rules(_ text: String, _ evidence: DumpEvidence) throws -> [FaultExplanation.Rule] {
    let fault = try #require(FaultLine(text))
    return FaultExplainer(evidence).explain(FaultRecord(fault: fault, text: text)).diagnosis.map(
      \.rule)
  }

  private func line(
    _ kind: String, _ address: UInt64, _ reason: Int, device: String = "00:02.0"
  ) -> String {
    "DMAR: [DMA \(kind) NO_PASID] Request device [\(device)] fault addr \(address.hexadecimal) "
      + "[fault reason \(UInt64(reason).hexadecimal)] x"
  }

  private func node(_ start: UInt64, _ state: IOVARange.State) -> IOVARange {
    IOVARange(
      start: IOVirtualAddress(start), end: IOVirtualAddress(start | 0xfff), state: state)
  }

  @Test func `faults are explained as far as the run may`() throws {
    let whole = evidence()
    let work = WorkBudget(WorkLimits(entries: 700))
    let evidence = DumpEvidence(
      state: whole.state, memory: whole.memory, kernel: whole.kernel, work: work)
    let records = try (0..<4 as Range<UInt64>).map { number in
      let text = line("Write", 0xffff_e000 + number << 30, 5)
      return FaultRecord(fault: try #require(FaultLine(text)), text: text)
    }
    let explained = FaultExplainer(evidence).explain(records)
    #expect(explained.count == 4)
    #expect(explained.last?.diagnosis.first?.message.contains("--max-entries") == true)
    #expect(work.cuts.map(\.what) == [.entries])
  }

  @Test func `a read-only page was written`() throws {
    #expect(try rules(line("Write", 0xffff_e000, 5), evidence()) == [.noPermission])
  }

  @Test func `an address in a per-CPU cache was unmapped in use`() throws {
    let evidence = evidence([node(0xfff0_0000, .cached)])
    #expect(try rules(line("Write", 0xfff0_0000, 5), evidence) == [.unmappedInUse])
  }

  @Test func `an address in the flush queue may be in the IOTLB`() throws {
    let evidence = evidence([node(0xfff0_0000, .pending)])
    #expect(try rules(line("Read", 0xfff0_0000, 6), evidence) == [.staleTLB])
  }

  @Test func `an address that is held but not mapped was revoked`() throws {
    let evidence = evidence([node(0xfff0_0000, .unmapped)])
    #expect(try rules(line("Write", 0xfff0_0000, 5), evidence) == [.revoked])
  }

  @Test func `the low half of a live address was truncated`() throws {
    #expect(try rules(line("Read", 0x3000, 6), evidence()).first == .truncated)
  }

  @Test func `a physical address of a mapped page is recognised`() throws {
    #expect(try rules(line("Read", 0x9000, 6), evidence()).contains(.physicalAddress))
  }

  @Test func `a device without a driver is said to have none`() throws {
    let found = try rules(line("Read", 0x4567_8000, 6), evidence(driver: nil))
    #expect(found == [.noDriver, .notInAllocator])
  }

  @Test func `a device without context is told`() throws {
    #expect(try rules(line("Read", 0x1000, 2, device: "00:05.0"), evidence()) == [.noContext])
  }

  @Test func `a reserved region that is not mapped comes first`() throws {
    let device = DeviceName.pci(PCIFunction(bus: 0, devfn: 0x10))
    let region = ReservedRegion(
      kind: .rmrr, segment: 0, base: IOVirtualAddress(0xfed1_c000),
      end: IOVirtualAddress(0xfed1_ffff), devices: [device], mapped: .absent)
    let found = try rules(line("Read", 0xfed1_c000, 6), evidence(regions: [region]))
    #expect(found.first == .reservedRegion)
  }

  @Test func `a page that is mapped now was mapped after the fault`() throws {
    #expect(try rules(line("Write", 0xffff_f000, 5), evidence()) == [.mappedNow])
  }

  @Test func `an address of more bits than are translated`() throws {
    #expect(try rules(line("Write", .max << 12, 4), evidence()).contains(.beyondWidth))
    #expect(try !rules(line("Write", 0xffff_e000, 5), evidence()).contains(.beyondWidth))
  }

  @Test func `a corrupt entry is named, also when it is sound again`() throws {
    let text = line("Write", 0xffff_f000, 0xc)
    let fault = try #require(FaultLine(text))
    let explanation = FaultExplainer(evidence()).explain(FaultRecord(fault: fault, text: text))
    let diagnosis = try #require(explanation.diagnosis.first { $0.rule == .badEntry })
    #expect(diagnosis.message.contains("at that time"))
  }

  @Test func `an interrupt fault is explained by the table, if there is one`() throws {
    let text = "DMAR: [INTR-REMAP] Request device [00:02.0] fault index 0x12 [fault reason 0x22] x"
    #expect(try rules(text, evidence()) == [.unknown])
    var known = evidence()
    // Any page serves as a table whose entry 0x12 is zero.
    known.state.units[0].interruptRemapping = InterruptRemapping(
      table: PhysicalAddress(0x4000), entries: 256)
    #expect(try rules(text, known) == [.interrupt])
  }
}
