// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing
import VTd

@testable import Report
@testable import Translation

/// The kernel's own lines, byte for byte, in each generation of the form.
///
/// What is expected was made of the kernel's format strings by printf: drivers/iommu/intel/debugfs.c
/// of 5.15.85, of commit 20693782766d (5.18 and 6.0 print alike), and commits d87731f60931 and
/// 2b437e804566 for 6.7.
struct DebugfsTextTests {
  private static func text(_ rows: [DebugfsRow], _ generation: DebugfsGeneration) throws -> String {
    let sink = MemorySink()
    let text = DebugfsText(generation, to: sink)
    for row in rows { try text.write(row) }
    try text.finish()
    return String(decoding: sink.bytes, as: UTF8.self)
  }

  private static let space: [DebugfsRow] = [
    .domain(device: "0000:00:1f.2", pasid: nil, table: 0x27e_4000),
    .leaf(
      .init(
        page: 0xfffe0, level: 1, path: [0, 0x202f_a003, 0x2031_2003, 0x2031_1003, 0x27e_5003, 0])
    ),
    .leaf(.init(page: 0x100000, level: 2, path: [0, 0, 0x4000_0083, 0x2031_1003, 0x27e_5003, 0])),
    .end,
  ]

  private static let leaf =
    "0x00000000fffe0 |\t0x0000000000000000\t0x00000000027e5003\t0x0000000020311003\t"
    + "0x0000000020312003\t0x00000000202fa003\n"

  @Test(arguments: [DebugfsGeneration.withPASID, .ownDomain, .firstOfGroup])
  func `up to 6.6 every level has a column`(_ generation: DebugfsGeneration) throws {
    var rows = Self.space
    var name = "Device 0000:00:1f.2"
    if generation == .withPASID {
      rows[0] = .domain(device: "0000:00:1f.2", pasid: 0, table: 0x27e_4000)
      name += " with pasid 0"
    }
    #expect(
      try Self.text(rows, generation)
        == name + " @0x27e4000\nIOVA_PFN\t\tPML5E\t\t\tPML4E\t\t\tPDPE\t\t\tPDE\t\t\tPTE\n"
        + Self.leaf
        + "0x0000000100000 |\t0x0000000000000000\t0x00000000027e5003\t0x0000000020311003\t"
        + "0x0000000040000083\t0x0000000000000000\n\n")
  }

  @Test func `since 6.7 columns are padded and a line ends at its leaf`() throws {
    var rows = Self.space
    rows[0] = .domain(device: "0000:00:1f.2", pasid: 0x1f, table: 0x27e_4000)
    #expect(
      try Self.text(rows, .filePerSpace)
        == "Device 0000:00:1f.2 with pasid 1f @0x27e4000\n"
        + "IOVA_PFN         \tPML5E             \tPML4E             \tPDPE              \t"
        + "PDE               \tPTE\n" + Self.leaf
        + "0x0000000100000 |\t0x0000000000000000\t0x00000000027e5003\t0x0000000020311003\t"
        + "0x0000000040000083\n\n")
  }

  @Test(arguments: DebugfsGeneration.allCases)
  func `the other files are alike in all of them`(_ generation: DebugfsGeneration) throws {
    let entry = InterruptRemapEntry(words: [0x0000_0100_0022_000d, 0x4_ff00])
    let rows: [DebugfsRow] = [
      .contexts(unit: "dmar0", rootTable: 0x26c_0000),
      .context(.init(bus: 0, devfn: 0x10, root: (0x26c_7001, 0), entry: (0x27a_9001, 0x402))),
      .end, .interrupts(unit: "dmar0", isPosted: false, table: 0x120_0000),
      .interrupt(index: 8, entry), .end, .interruptsDivider,
      .queue(unit: "dmar0", base: 0x10_0000, words: 2),
      .descriptor(index: 7, words: [0x200_0000_25, 0x185f_6729_c4], status: 2), .end,
      .translationOff(unit: "dmar1"),
    ]
    #expect(
      try Self.text(rows, generation)
        == "IOMMU dmar0: Root Table Address: 0x26c0000\n"
        + "B.D.F\tRoot_entry\t\t\t\tContext_entry\t\t\t\tPASID\tPASID_table_entry\n"
        + "00:02.0\t0x0000000000000000:0x00000000026c7001\t0x0000000000000402:0x00000000027a9001\t"
        + "-1    \t0x0000000000000000:0x0000000000000000:0x0000000000000000\n\n"
        + "Remapped Interrupt supported on IOMMU: dmar0\n IR table address:1200000\n"
        + " Entry SrcID   DstID    Vct IRTE_high\t\tIRTE_low\n"
        + " 8     ff:00.0 00000100 22  000000000004ff00\t000001000022000d\n\n****\n\n"
        + "Invalidation queue on IOMMU: dmar0\n Base: 0x100000\tHead: ?\tTail: ?\n"
        + "Index\t\tqw0\t\t\tqw1\t\t\tstatus\n"
        + "    7\t0000000200000025\t000000185f6729c4\t0000000000000002\n\n"
        + "DMA Remapping is not enabled on dmar1\n")
  }

  @Test func `names from the dump are nothing that a terminal obeys`() throws {
    let evil = "dmar\u{1b}[2J\u{9b}\r\u{7f}"
    let rows: [DebugfsRow] = [
      .translationOff(unit: evil), .contexts(unit: evil, rootTable: 0), .end,
      .domain(device: .other(evil), pasid: nil, table: 0), .end,
      .interrupts(unit: evil, isPosted: true, table: nil), .queue(unit: evil, base: 0, words: 4),
    ]
    for generation in DebugfsGeneration.allCases {
      let text = try Self.text(rows, generation)
      #expect(text.utf8.allSatisfy { $0 == 0x0a || $0 == 0x09 || (0x20..<0x7f).contains($0) })
      #expect(text.contains("dmar\\u{1b}[2J\\u{9b}\\r\\u{7f}"))
    }
  }
}
