// SPDX-License-Identifier: Apache-2.0

import KernelImage
import Memory
import Testing
import VTd

@testable import Faults

/// Texts as people paste them: what is found, and that nothing is lost.
struct LogFormTests {
  struct Form: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var text: String
    /// `device address reason`, all in hexadecimal; `-` for a reason that is missing.
    var faults: [String]
    var units = 0
    var others = 0

    init(_ name: String, _ text: String, _ faults: [String], units: Int = 0, others: Int = 0) {
      testDescription = name
      self.text = text
      self.faults = faults
      self.units = units
      self.others = others
    }
  }

  private static let line =
    "DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x1000 [fault reason 0x05] "
    + "PTE Write access is not set"
  private static let found = ["0000:00:02.0 1000 5"]

  static let forms = [
    Form("plain", line, found),
    Form("dmesg", "[    0.361089] " + line, found),
    Form("dmesg with caller", "[    0.361089][  T123] " + line, found),
    Form("dmesg -x", "kern  :info  : [    0.361089] " + line, found),
    Form("dmesg -T", "[Wed Jun  3 15:40:37 2026] " + line, found),
    Form("dmesg -H", "[  +0.000022] " + line, found),
    Form("dmesg --time-format iso", "2022-06-30T10:00:00,123456+02:00 " + line, found),
    Form("raw priority", "<6>[    0.361089] " + line, found),
    Form("journal", "May 30 17:35:46 localhost kernel: " + line, found),
    Form("syslog", "May 30 17:35:46 localhost kernel: [  279.001076] " + line, found),
    Form(
      "syslog, bracket lost", "2014-04-25T09:37:53.5+01:00 host kernel:     8.490171] " + line,
      found),
    Form("time of day", "01:46:35 " + line, found),
    Form("carriage returns", "[ 1.0] " + line + "\r\n[ 1.1] " + line + "\r\n", found),
    Form("colours", "\u{1b}[32m[    0.361089] \u{1b}[0m\u{1b}[33mDMAR: \u{1b}[0m" + line, found),
    Form("quoted", "> > [    0.361089] " + line, found),
    Form("quoted with bars", "| [    0.361089] " + line, found),
    Form("quoted in HTML", "&gt; " + line, found),
    Form("Markdown code", "`[  892.924004] " + line + "`", found),
    Form("no-break spaces", line.replacing(" ", with: "\u{a0}"), found),
    Form(
      "wrapped mail",
      "DMAR: [DMA Write] Request device [00:02.0] PASID ffffffff fault addr\n"
        + "7effff9000 [fault reason 05] PTE Write access is not set", ["0000:00:02.0 7effff9000 5"]),
    Form(
      "wrapped and quoted mail",
      "> [ 9.7] DMAR: [DMA Write] Request device [00:02.0] PASID ffffffff fault addr\n"
        + "> 7effff9000 [fault reason 05] PTE Write access\n> is not set",
      ["0000:00:02.0 7effff9000 5"]),
    Form(
      "indented continuation",
      ">>   DMAR: [DMA Write] Request device [00:12.0] PASID ffffffff fault addr 0\n"
        + ">>         [fault reason 05] PTE Write access is not set", ["0000:00:12.0 0 5"]),
    Form(
      "quoted-printable",
      "DMAR: [INTR-REMAP] Request device [0xe2:0x00.0] fault index 0xa00 [fault=\n"
        + " reason 0x25] Blocked a compatibility format interrupt request",
      ["0000:e2:00.0 a00 25"]),
    Form(
      "cut by the screen's edge, inside a word and inside the number",
      "[ 1.0] DMAR: [DMA Write NO_PASID] Request dev\nice [00:02.0] fault addr 0x1aba\n"
        + "8d000 [fault reason 0x05] PTE Write access is not set", ["0000:00:02.0 1aba8d000 5"]),
    Form(
      "several messages in one line",
      "[ 44.9] megasas: FW now in Ready state [ 45.2] DMAR: DRHD: handling fault status reg 3 "
        + "[ 45.3] " + line + " [ 45.4] " + line.replacing("0x1000", with: "0x2000"),
      ["0000:00:02.0 1000 5", "0000:00:02.0 2000 5"], units: 1),
    Form(
      "a line end that mail swallowed",
      "DRHD: handling fault status reg 3> DMAR: [DMA Write] Request device [00:14.0] PASID ffffffff "
        + "fault addr ffcda000 [fault reason 05] PTE Write access is not set",
      ["0000:00:14.0 ffcda000 5"], units: 1),
    Form(
      "3.x, two lines",
      "dmar: DMAR:[DMA Read] Request device [00:02.0] fault addr 1a45aa9000 \n"
        + "DMAR:[fault reason 12] non-zero reserved fields in PTE",
      ["0000:00:02.0 1a45aa9000 c"]),
    Form(
      "two lines with others between",
      "[ 8.1] dmar: DMAR:[DMA Read] Request device [01:00.0] fault addr 41a6aa000 \n"
        + "[ 8.1] usb 1-1: new high-speed USB device\n[ 8.1] DMAR:[fault reason 01] Present bit in "
        + "root entry is clear", ["0000:01:00.0 41a6aa000 1"], others: 1),
    Form(
      "two lines, reason lost",
      "DMAR:[DMA Read] Request device [01:00.0] fault addr 1000\n"
        + "DMAR:[DMA Write] Request device [01:00.0] fault addr 2000\nDMAR:[fault reason 05] x",
      ["0000:01:00.0 2000 5", "0000:01:00.0 1000 -"]),
    Form(
      "interrupt of 3.x",
      "INTR-REMAP: Request device[[42:00.1] fault index b0\nINTR-REMAP:[fault reason 34] Present "
        + "field in the IRTE entry is clear", ["0000:42:00.1 b0 22"]),
    Form(
      "two kinds of two lines mixed",
      "DMAR:[DMA Read] Request device [01:00.0] fault addr 1000\n"
        + "INTR-REMAP: Request device [[f0:1f.0] fault index 1c\n"
        + "INTR-REMAP:[fault reason 38] x\nDMAR:[fault reason 06] x",
      ["0000:f0:1f.0 1c 26", "0000:01:00.0 1000 6"]),
    Form(
      "a segment of VMD",
      "DMAR: [DMA Read NO_PASID] Request device [10000:e1:00.0] fault addr 0x0 [fault reason 0x06] x",
      ["10000:e1:00.0 0 6"]),
    Form(
      "Xen 4.6 and later",
      "(XEN) [VT-D]DMAR:[DMA Write] Request device [0000:01:00.0] fault addr 8c000, iommu reg = "
        + "ffff82c000203000\n(XEN) [VT-D]DMAR: reason 05 - PTE Write access is not set",
      ["0000:01:00.0 8c000 5"]),
    Form(
      "Xen 4.2",
      "(XEN) [VT-D]iommu.c:861: DMAR:[DMA Read] Request device [00:02.0] fault addr 8e43c000, iommu "
        + "reg = ffff82c00021d000\n(XEN) [VT-D]DMAR:[fault reason 0ch] reserved fields",
      ["0000:00:02.0 8e43c000 c"]),
    Form(
      "Xen's interrupt",
      "(XEN) [VT-D]INTR-REMAP: Request device [0000:00:1f.0] fault index 0\n"
        + "(XEN) [VT-D]INTR-REMAP: reason 25 - Blocked a compatibility format interrupt request",
      ["0000:00:1f.0 0 25"]),
    Form(
      "prose around", "Hello,\n\nmy machine says\n\n" + line + "\n\nwhat does it mean?", found,
      others: 3),
    Form("status alone", "DMAR: DRHD: handling fault status reg 400", [], units: 1),
    Form(
      "a unit that is gone",
      "DMAR: VT-d detected Invalidation Queue Error: Reason f\n"
        + "DMAR: VT-d detected Invalidation Time-out Error: SID ffff\n"
        + "DMAR: VT-d detected Invalidation Completion Error: SID ffff\n"
        + "DMAR: QI HEAD: UNKNOWN qw0 = 0x0, qw1 = 0x0\n"
        + "DMAR: QI PRIOR: UNKNOWN qw0 = 0x0, qw1 = 0x0\n"
        + "DMAR: Invalidation Time-out Error (ITE) cleared", [], units: 3),
    Form(
      "descriptors of 3.x",
      "VT-d detected invalid descriptor: low=25, high=7f8a000\n"
        + "VT-d detected invalid descriptor: qw0 = 25, qw1 = 7f8a000", [], units: 1),
    Form(
      "wrapped complaint about firmware",
      " DMAR: [Firmware Bug]: No firmware reserved region can cover this RMRR\n"
        + "       [0x000000006f760000-0x000000006f762fff], contact BIOS vendor for\n       fixes\n"
        + " DMAR: [Firmware Bug]: Your BIOS is broken; bad RMRR\n"
        + "       [0x000000006f760000-0x000000006f762fff]", [], units: 2),
    Form(
      "already set",
      "[   17.488272] DMAR: ERROR: DMA PTE for vPFN 0xf1f80 already set (to f1f80003 not 12bea5803)",
      [], units: 1),
    Form(
      "hung in the queue",
      "[ 1.0] watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [qemu:123]\n[ 1.0] Modules linked "
        + "in: vfio\n[ 1.0] RIP: 0010:qi_submit_sync+0x2c5/0x490", [], units: 1, others: 1),
    Form(
      "hung elsewhere",
      "[ 1.0] watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [qemu:123]\n"
        + "[ 1.0] RIP: 0010:smp_call_function_many_cond+0x2c5/0x490", [], others: 2),
    Form(
      "other units", "AMD-Vi: Event logged [IO_PAGE_FAULT device=63:00.0 address=0x42b5b01a0]", [],
      units: 1),
    Form(
      "set-up", "DMAR: Host address width 39\nDMAR: No ATSR found\nDMAR-IR: Copied IR table", [],
      others: 3),
    Form(
      "set-up of what the hardware has not", "DMAR: dmar0 SVM disabled, incompatible paging mode",
      [], others: 1),
    Form(
      "set-up that failed",
      "DMAR: Failed to find handle for ACPI object \\_SB.PCI0.SDHC\n"
        + "DMAR-IR: Failed to enable irq remapping.", [], units: 2),
    Form(
      "prose about failures", "My DMAR errors are back and the machine cannot boot", [], others: 1),
    Form(
      "an interrupt's reason that speaks of a failure",
      "DMAR: DRHD: handling fault status reg 2\nDMAR: INTR-REMAP: Request device [[01:00.0] fault "
        + "index 1c\nINTR-REMAP:[fault reason 38] Blocked an interrupt request due to source-id "
        + "verification failure", ["0000:01:00.0 1c 26"], units: 1),
    Form(
      "a record of /dev/kmsg",
      "3,1234,41250000,-;" + line + "\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:02.0", found),
    Form(
      "a crash kernel's start",
      "DMAR: Translation already enabled - trying to copy translation structures\n"
        + "DMAR: Copied translation tables from previous kernel for dmar0\n"
        + "DMAR: Failed to copy translation tables from previous kernel for dmar1\n"
        + "DMAR-IR: Copied IR table for dmar0 from previous kernel\n"
        + "DMAR-IR: Failed to copy IR table for dmar1 from previous kernel", [], units: 5),
    Form(
      "units that firmware left on",
      "DMAR: Translation was enabled for dmar0 but we are not in kdump mode\n"
        + "DMAR-IR: IRQ remapping was enabled on dmar0 but we are not in kdump mode", [], units: 2),
    Form(
      "a device bound to a region of firmware",
      "vfio-pci 0000:03:00.0: Device is ineligible for IOMMU domain attach due to platform RMRR "
        + "requirement.  Contact your platform vendor.\nvfio-pci 0000:00:02.0: Firmware has requested "
        + "this device have a 1:1 IOMMU mapping, rejecting configuring the device without a 1:1 "
        + "mapping. Contact your platform vendor.", [], units: 2),
    Form(
      "failures that do not say so",
      "DMAR: dmar0: iommu width (39) is not sufficient for the mapped address (7fffffffff000)\n"
        + "DMAR: dmar1: No free domain ids\nDMAR: Host address width 39", [], units: 2, others: 1),
    Form("prose about width", "the width is not sufficient for the mapped address", [], others: 1),
    Form(
      "a number of PASID that stood for none",
      "DMAR: [DMA Read] Request device [00:02.0] PASID ffffffff fault addr 9c000000 [fault reason 06] "
        + "PTE Read access is not set", ["0000:00:02.0 9c000000 6"]),
    Form(
      "digits with and without 0x, in one excerpt",
      "[0.9] kernel: DMAR: [DMA Read NO_PASID] Request device [0x00:0x02.0] fault addr 0x70ad5000 "
        + "[fault reason 0x07] Next page table ptr is invalid\n[45.2] dmar: DMAR:[DMA Write] Request "
        + "device [01:00.0] fault addr 41a6aa000 \n[45.2] DMAR:[fault reason 01] Present bit in root "
        + "entry is clear", ["0000:00:02.0 70ad5000 7", "0000:01:00.0 41a6aa000 1"]),
    Form("nothing", "", []),
    Form("binary", String(decoding: (0...255).map { UInt8($0) }, as: UTF8.self), [], others: 1),
  ]

  @Test(arguments: forms)
  func `finds what is there and counts the rest`(_ form: Form) {
    let log = FaultLog(pasted: form.text)
    let faults = log.records.map { record in
      let reason = record.fault.reason.map { String($0.rawValue, radix: 16) } ?? "-"
      return "\(record.fault.device) \(String(record.fault.value, radix: 16)) \(reason)"
    }
    #expect(faults == form.faults)
    #expect(log.units.count == form.units, "\(log.units.map(\.text))")
    #expect(log.others == form.others)
  }

  @Test func `the whole line is quoted, without what loggers put in front`() {
    let wrapped = FaultLog(
      pasted: "> [ 9.7] DMAR: [DMA Write] Request device [00:02.0] PASID ffffffff fault addr\n"
        + "> 0 [fault reason 05] PTE Write access\n> is not set\n> [ 9.8] other")
    #expect(
      wrapped.records.map(\.text) == [
        "DMAR: [DMA Write] Request device [00:02.0] PASID ffffffff fault addr 0 [fault reason 05] "
          + "PTE Write access is not set"
      ])
    #expect(wrapped.records.first?.first == 9_700_000_000)
  }

  @Test func `times are those of the kernel`() {
    let stamps: [(String, UInt64?)] = [
      ("[    0.361089] ", 361_089_000), ("[3713481.750953] ", 3_713_481_750_953_000),
      ("[  +0.000022] ", nil), ("[Wed Jun  3 15:40:37 2026] ", nil), ("", nil),
      ("kernel:     8.490171] ", 8_490_171_000), ("[99999999999999999999.1] ", nil),
    ]
    for (stamp, time) in stamps {
      #expect(FaultLog(pasted: stamp + Self.line).records.first?.first == time, "\(stamp)")
    }
  }

  @Test func `Xen's faults are named as such`() {
    let forms = Self.forms.filter { $0.testDescription.hasPrefix("Xen") }
    #expect(forms.count == 3)
    for form in forms {
      #expect(FaultLog(pasted: form.text).records.allSatisfy { $0.fault.isXen })
    }
    #expect(!FaultLog(pasted: Self.line).records.contains { $0.fault.isXen })
  }

  @Test func `no text of any shape ends in a trap`() {
    // Every prefix of every form, and every form with one byte changed.
    for form in Self.forms {
      let bytes = Array(form.text.utf8)
      for cut in stride(from: 0, to: bytes.count, by: 3) {
        _ = FaultLog(pasted: String(decoding: bytes[..<cut], as: UTF8.self))
        var changed = bytes
        changed[cut] = UInt8(truncatingIfNeeded: cut &* 31)
        _ = FaultLog(pasted: String(decoding: changed, as: UTF8.self))
      }
    }
  }

  @Test func `a large text without line ends or prefixes is read in linear time`() {
    let long = String(repeating: "DMAR: failed to [DMA Read ", count: 20_000)
    #expect(FaultLog(pasted: long).faults == 0)
    let many = String(repeating: "cannot say qi_submit_sync\n", count: 20_000)
    #expect(FaultLog(pasted: many).others == 20_000)
  }
}
