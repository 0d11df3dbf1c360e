// SPDX-License-Identifier: Apache-2.0

import Assembly
import Evidence
import Memory
import MemoryFixtures
import RemappingState
import TableFixtures
import Testing
import Translation

/// Listings of tables that stand for any amount of rows.
struct HostileListingTests {
  /// Twenty-four devices of one group each, with contexts over shared tables.
  private func evidence(_ work: WorkBudget) -> DumpEvidence {
    let memory = SyntheticMemory.sharedTables(spaces: 24)
    var state = RemappingState(
      DumpSummary(file: "vmcore", format: "elf"), memory: memory,
      roots: [RootTable(address: PhysicalAddress(0x1000), mode: .legacy, origin: .given)],
      work: work)
    state.devices = (0..<24).map {
      Device(device: .pci(PCIFunction(bus: 0, devfn: UInt8($0))), unit: "given0", group: $0)
    }
    return DumpEvidence(state: state, memory: memory, work: work)
  }

  @Test(arguments: [DebugfsGeneration.ownDomain, .filePerSpace])
  func `debugfs rows end where the run ends, and say so`(_ generation: DebugfsGeneration) {
    let work = WorkBudget(WorkLimits())
    work.grant(pages: 1900)
    let evidence = evidence(work)
    var leaves = 0
    var gaps: Set<String> = []
    DebugfsReader(evidence, generation: generation).forEachRow(of: .domainTranslation) {
      (row) throws(Never) in
      switch row {
      case .leaf: leaves += 1
      case .missing(let gap): gaps.insert("\(gap)")
      default: break
      }
    }
    // 713 MiB of text and no end, before there was a limit.
    #expect(leaves < 8192 * 512)
    #expect(gaps.contains { $0.hasPrefix("rest") })
    #expect(evidence.cuts.contains { $0.device != nil && $0.what == .entries })
  }

  @Test func `entries of one device end where the run ends, and say so`() throws {
    let work = WorkBudget(WorkLimits(entries: 1 << 26, runs: 40_000))
    let evidence = evidence(work)
    let device = PCIFunction(bus: 0, devfn: 3)
    let listed = try #require(TableLister(evidence).tables(of: device, pasid: nil))
    #expect(listed.entries.count <= 10_000)
    #expect(evidence.cuts.contains { $0.device == .pci(device) })
  }
}
