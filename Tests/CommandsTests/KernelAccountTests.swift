// SPDX-License-Identifier: Apache-2.0

import Faults
import Memory
import RemappingState
import StateFixtures
import Testing

@testable import Commands

/// What the summary of a report counts of a log.
struct KernelAccountTests {
  private static func summary(_ text: String) -> FaultSummary {
    FaultSummary(FaultLog(pasted: text))
  }

  @Test func `requests are counted by device and direction`() {
    let summary = Self.summary(
      """
      DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x1000 [fault reason 0x05] x
      DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x2000 [fault reason 0x06] x
      DMAR: [DMA Write NO_PASID] Request device [00:03.0] fault addr 0x1000 [fault reason 0x05] x
      DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x3000 [fault reason 0x05] x
      DMAR: [INTR-REMAP] Request device [00:1f.0] fault index 0x12 [fault reason 0x22] x
      usb 1-1: a line of somebody else's
      """)
    #expect(
      summary.devices.map(\.device) == ["0000:00:02.0", "0000:00:03.0", "0000:00:1f.0"])
    #expect(summary.devices.map(\.writes) == [2, 1, 0])
    #expect(summary.devices.map(\.reads) == [1, 0, 0])
    #expect(summary.devices.map(\.interrupts) == [0, 0, 1])
    #expect(summary.messages.isEmpty)
  }

  /// A line of the log, and what it counts as.
  @Test(
    arguments: [
      ("DMAR: VT-d detected Invalidation Queue Error: Reason 3", .queueError),
      ("DMAR: VT-d detected Invalidation Time-out Error: SID 10", .timeOut),
      ("DMAR: VT-d detected Invalidation Completion Error: SID 10", .completionError),
      ("DMAR: Invalidation Queue Error (IQE) cleared", .queueError),
      // All ones: the unit did not answer, so these are no errors of its queue.
      ("DMAR: VT-d detected Invalidation Queue Error: Reason f", .unreachable),
      ("DMAR: VT-d detected Invalidation Time-out Error: SID ffff", .unreachable),
      ("DMAR: DRHD: handling fault status reg ffffffff", .unreachable),
      (
        "DMAR: ERROR: DMA PTE for vPFN 0xf1f80 already set (to f1f80003 not 12bea5803)", .alreadySet
      ),
      ("DMAR: IOMMU: dmar0: Page request without PASID: 00000000 00000000", .pageRequest),
      ("DMAR hardware is malfunctioning", .malfunction),
      ("DMAR-IR: Failed to copy IR table for dmar1 from previous kernel", .failure),
      (
        "DMAR: [Firmware Bug]: RMRR entry for device 03:00.0 is broken - applying workaround",
        .firmware
      ),
      (
        "Your BIOS is broken; DMAR reported at address fed64000 returns all ones!", .unreachable
      ),
      // Comes along with the fault that it is about.
      ("DMAR: DRHD: handling fault status reg 2", nil),
      ("usb 1-1: a line of somebody else's", nil),
    ] as [(String, FaultSummary.UnitTrouble.Kind?)])
  func `messages of units are counted by kind`(
    line: String, kind: FaultSummary.UnitTrouble.Kind?
  ) {
    let summary = Self.summary(line)
    #expect(summary.messages.map(\.kind) == (kind.map { [$0] } ?? []))
    #expect(summary.messages.allSatisfy { $0.count == 1 })
    #expect(summary.devices.isEmpty)
  }

  @Test func `equal messages are one row, and a record of all ones has no device`() {
    let summary = Self.summary(
      """
      DMAR: VT-d detected Invalidation Time-out Error: SID 10
      DMAR: VT-d detected Invalidation Time-out Error: SID 18
      DMAR: [DMA Read NO_PASID] Request device [ff:1f.7] fault addr 0xfffffffffffff000 \
      [fault reason 0xff] unknown
      """)
    #expect(summary.messages.map(\.kind) == [.unreachable, .timeOut])
    #expect(summary.messages.map(\.count) == [1, 2])
    #expect(summary.devices.isEmpty)
  }
}
