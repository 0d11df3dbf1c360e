// SPDX-License-Identifier: Apache-2.0

import Commands
import Evidence
import Faults
import KernelImage
import Memory
import MemoryFixtures
import RemappingState
import Report
import StateDiff
import StateFixtures

extension FuzzTarget {
  /// Texts that somebody else wrote.
  static let texts: [FuzzTarget] = [
    FuzzTarget(
      "json",
      seeds: {
        [
          json(ReportDocument(state: .sample, findings: [])),
          Array(#"{"schema":"iommuscope-report/1"}"#.utf8),
        ]
      },
      run: { bytes in
        guard let document = try? ReportReader.document(bytes) else { return }
        _ = json(document)
        try? TextReport().write(document, to: NowhereSink())
        let diff = StateDiff(
          from: StateDiff.Side(document.state, findings: document.findings),
          to: StateDiff.Side(.sample))
        try? DiffDocument(old: document.state.dump, new: document.state.dump, diff: diff)
          .writeJSON(to: NowhereSink())
      }),
    FuzzTarget(
      "faultlines",
      seeds: {
        [
          "DMAR: [DMA Read NO_PASID] Request device [00:04.0] fault addr 0x12345000 [fault reason 0x06] PTE Read access is not set",
          "[   12.345678] DMAR: DRHD: handling fault status reg 2\nDMAR: [DMA Write] Request device [03:00.0] PASID 1f fault addr fffff000 [fault reason 05] PTE Write access is not set",
          "DMAR: [INTR-REMAP] Request device [f0:1f.7] fault index 0x1f [fault reason 0x22] Present field in the IRTE entry is clear",
          "DMAR: VT-d detected Invalidation Queue Error: Reason 3\nDMAR: QI HEAD: IOTLB Invalidation qw0 = 0x200f2, qw1 = 0x0",
          "dmar_fault: 12 callbacks suppressed\n<3>kernel: DMAR: Invalidation Time-out Error (ITE) cleared",
        ].map { Array($0.utf8) }
      },
      run: { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        _ = FaultLine(text)
        let log = FaultLog(pasted: text)
        let evidence = DumpEvidence(state: .sample, memory: SyntheticMemory([0x1000: 0x2003]))
        _ = FaultExplainer(evidence).explain(log.records)
        let units = UnitExplainer(evidence)
        for record in log.units { _ = units.explain(record) }
      }),
    FuzzTarget(
      "vmcoreinfo",
      seeds: {
        [
          note,
          Array(
            "OSRELEASE=6.1\nKERNELOFFSET=1a000000\nNUMBER(phys_base)=-4096\nSYMBOL(init_top_pgt)=ffffffff82a0c000\nNUMBER(pgtable_l5_enabled)=1\nCRASHTIME=1795417719\n"
              .utf8),
        ]
      },
      run: { bytes in
        let info = VMCoreInfo(bytes)
        _ = (info.release, info.buildID, info.pageSize, info.crashTime, info.kernelOffset)
        let memory = SyntheticMemory([0x1000: 0x2003, 0x2000: 0x3003, 0x3000: 0x4003])
        guard let space = KernelAddressSpace(info: info, physicalBase: nil, segments: []) else {
          return
        }
        let reader = KernelReader(memory, space)
        for address: UInt64 in [
          0, 0xffff_ffff_8100_0000, 0xffff_8880_0000_1000, 0xffff_c900_0000_0000, .max,
        ] {
          _ = try? reader.bytes(at: KernelAddress(address), count: 16)
        }
        _ = try? reader.kallsyms(info: info, wanted: ["_stext"])
      }),
    FuzzTarget(
      "systemmap",
      seeds: {
        [Array("ffffffff81000000 T _stext\nffffffff82a0c000 D dmar_drhd_units\n".utf8)]
      },
      run: { _ = SystemMap.symbols(in: $0, wanted: ["_stext", "dmar_drhd_units"]) }),
  ]

  static func json(_ document: some Document) -> [UInt8] {
    let sink = MemorySink()
    try? document.writeJSON(to: sink)
    return sink.bytes
  }
}

/// Takes everything, keeps nothing.
final class NowhereSink: ByteSink {
  private(set) var count = 0

  func write(_ bytes: [UInt8]) throws(OutputError) { count &+= bytes.count }
}
