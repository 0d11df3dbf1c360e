// SPDX-License-Identifier: Apache-2.0

import Memory
import Testing
import VTd

@testable import Faults
@testable import KernelImage

struct FaultLineTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var text: String
    var kind: FaultLine.Kind
    var device: String
    var pasid: UInt32?
    var value: UInt64
    var reason: UInt8?

    init(
      _ name: String, _ text: String, _ kind: FaultLine.Kind, _ device: String,
      pasid: UInt32? = nil, _ value: UInt64, _ reason: UInt8?
    ) {
      testDescription = name
      self.text = text
      self.kind = kind
      self.device = device
      self.pasid = pasid
      self.value = value
      self.reason = reason
    }
  }

  @Test(arguments: [
    Case(
      "3.10", "DMAR:[DMA Write] Request device [03:00.1] fault addr fffd3000 ", .write,
      "0000:03:00.1", 0xfffd_3000, nil),
    Case(
      "4.7, decimal reason",
      "DMAR: [DMA Read] Request device [1f:1d.7] fault addr ff000 [fault reason 12] PTE reserved",
      .read, "0000:1f:1d.7", 0xff000, 12),
    Case(
      "5.10, all ones for no PASID",
      "DMAR: [DMA Read] Request device [03:00.0] PASID ffffffff fault addr fffd3000 "
        + "[fault reason 06] PTE Read access is not set", .read, "0000:03:00.0", 0xfffd_3000, 6),
    Case(
      "5.14, prefixed numbers",
      "DMAR: [DMA Write NO_PASID] Request device [0x00:0x1f.2] fault addr 0x12345000 "
        + "[fault reason 0x05] PTE Write access is not set", .write, "0000:00:1f.2", 0x1234_5000, 5),
    Case(
      "6.1",
      "[   24.7] DMAR: [DMA Read NO_PASID] Request device [00:04.0] fault addr 0x12345000 "
        + "[fault reason 0x06] PTE Read access is not set", .read, "0000:00:04.0", 0x1234_5000, 6),
    Case(
      "6.1 with PASID",
      "DMAR: [DMA Read PASID 0x1f] Request device [6a:01.0] fault addr 0x7f0000000000 "
        + "[fault reason 0x71] SM: Present bit in first-level paging entry is clear", .read,
      "0000:6a:01.0", pasid: 0x1f, 0x7f00_0000_0000, 0x71),
    Case(
      "7.3, with segment",
      "DMAR: [DMA Write NO_PASID] Request device [0001:00:04.0] fault addr 0x0 "
        + "[fault reason 0x02] Present bit in context entry is clear", .write, "0001:00:04.0", 0, 2),
    Case(
      "3.10 interrupt, double bracket",
      "INTR-REMAP: Request device [[f0:1f.7] fault index 1c", .interrupt, "0000:f0:1f.7", 0x1c, nil),
    Case(
      "6.1 interrupt",
      "DMAR: [INTR-REMAP] Request device [f0:1f.0] fault index 0x1c [fault reason 0x22] Present "
        + "field in the IRTE entry is clear", .interrupt, "0000:f0:1f.0", 0x1c, 0x22),
  ])
  func `reads every form of the line`(_ line: Case) throws {
    let fault = try #require(FaultLine(line.text))
    #expect(fault.kind == line.kind)
    #expect(fault.device.description == line.device)
    #expect(fault.pasid == line.pasid)
    #expect(fault.value == line.value)
    #expect(fault.reason == line.reason.map { FaultReason($0) })
  }

  @Test(arguments: [
    "", "DMAR: DRHD: handling fault status reg 2",
    "DMAR: [DMA Read] Request device [zz:00.0] fault addr 0", "Request device [00:00.0",
    "DMAR: [DMA Read] Request device [00:02.0] fault addr",
    "DMAR: [DMA Read] Request device [00:02.0] fault addr 0x11112222333344445",
    "nvme 0000:01:00.0: fault addr 0x1000",
  ])
  func `passes by everything else`(_ text: String) {
    #expect(FaultLine(text) == nil)
  }

  private func message(_ time: UInt64, _ text: String) -> LogMessage {
    LogMessage(sequence: time, time: time, level: 3, text: text)
  }

  @Test func `alike faults are one record with count and rate`() {
    let line =
      "DMAR: [DMA Read NO_PASID] Request device [00:04.0] fault addr 0x1000 [fault reason 0x06] x"
    let other =
      "DMAR: [DMA Read NO_PASID] Request device [00:04.0] fault addr 0x2000 [fault reason 0x06] x"
    let log = FaultLog([
      message(1_000_000_000, line), message(1_200_000_000, other), message(1_500_000_000, line),
      message(3_000_000_000, line), message(4_000_000_000, "dmar_fault: 12 callbacks suppressed"),
    ])
    #expect(log.records.map(\.count) == [3, 1])
    #expect(log.records[0].rate == 1)
    #expect(log.records[1].rate == nil)
    #expect(log.suppressed == 12)
  }

  @Test func `an old line takes its reason from the next one`() {
    let log = FaultLog([
      message(1, "DMAR:[DMA Write] Request device [03:00.0] fault addr fffd3000 "),
      message(2, "DMAR:[fault reason 05] PTE Write access is not set"),
      message(3, "DMAR:[DMA Write] Request device [03:00.0] fault addr fffd4000 "),
    ])
    #expect(log.records.map(\.fault.reason) == [.noWritePermission, nil])
  }
}
