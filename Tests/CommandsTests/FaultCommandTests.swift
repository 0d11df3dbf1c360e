// SPDX-License-Identifier: Apache-2.0

import Foundation
import MemoryFixtures
import Report
import Testing

@testable import Commands

/// `faults` on the samples: what people were up against, with the answer that they needed.
struct FaultCommandTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var sample: String
    var lines: [String]
    /// Words that the text must have and must not have, with single blanks between them.
    var wanted: [String]
    var refused: [String] = []

    init(
      _ name: String, _ sample: String, _ lines: [String], _ wanted: [String],
      not refused: [String] = []
    ) {
      testDescription = name
      self.sample = sample
      self.lines = lines
      self.wanted = wanted
      self.refused = refused
    }
  }

  private static let legacy = "6.1-legacy.vmcore"
  private static let scalable = "7.3-scalable.vmcore"

  static let cases = [
    Case(
      "interrupt of no known device, refused for its source", legacy,
      [
        "[   12.1] DMAR: [INTR-REMAP] Request device [01:05.0] fault index 0x2f [fault reason 0x26] "
          + "Blocked an interrupt request due to source-id verification failure"
      ], ["0x26 (IR.7)", "01:05.0, no such device", "no device has this source id"],
      not: ["never set up by this kernel"]),
    Case(
      "interrupt in compatibility format", legacy,
      [
        "DMAR: INTR-REMAP: Request device [[f0:1f.0] fault index 0\nINTR-REMAP:[fault reason 37] "
          + "Blocked a compatibility format interrupt request"
      ], ["0x25 (IR.6)", "compatibility format", "not remappable"],
      not: ["the entry belongs to", "sends another device's interrupt"]),
    Case(
      "a fault in two lines, given one by one", legacy,
      [
        "2014-04-25T09:37:53.595431+01:00 host kernel: [    8.490171] dmar: DMAR:[DMA Read] Request "
          + "device [01:00.0] fault addr 41a6aa000",
        "2014-04-25T09:37:53.595431+01:00 host kernel: [    8.490171] DMAR:[fault reason 01] Present "
          + "bit in root entry is clear",
      ], ["0x1 (LRT.2)", "0000:01:00.0, driver nvme"]),
    Case(
      "a request with PASID of a device without", scalable,
      [
        "DMAR: [DMA Read PASID 0x2] Request device [01:00.0] fault addr 0x7fe0c9943000 [fault reason "
          + "0x3a] SM: Non-zero reserved field set in Root Entry"
      ], ["0x3a (SRT.3)", "=> pasid", "PASIDE 0"], not: ["the device has no context"]),
    Case(
      "a line that a mail program wrapped", scalable,
      [
        "[Wed Jun  3 15:40:37 2026] DMAR: [DMA Write NO_PASID] Request\ndevice [80:1f.6] fault addr "
          + "0x1aba8d000 [fault reason 0x39] SM:\nPresent bit in Root Entry is clear"
      ], ["0x39 (SRT.2): root entry is not present", "0000:80:1f.6"]),
    Case(
      "two faults in one text", legacy,
      [
        "[3713481.750953] DMAR: DRHD: handling fault status reg 302\n[3713481.750962] DMAR: [DMA Read "
          + "NO_PASID] Request device [00:02.0] fault addr 0x7ebb0000 [fault reason 0x06] x\n"
          + "[3713481.751003] DMAR: DRHD: handling fault status reg 402\n[3713481.751026] DMAR: [DMA "
          + "Write NO_PASID] Request device [00:03.0] fault addr 0x7ebb1000 [fault reason 0x05] x"
      ],
      [
        "2 faults in 4 lines", "device 0000:00:02.0", "device 0000:00:03.0", "0x6 (LGN.3)",
        "0x5 (LGN.2)",
      ]),
    Case(
      "a segment without unit", scalable,
      [
        "DMAR: [DMA Write NO_PASID] Request device [0001:73:00.1] fault addr 0x0 [fault reason 0x05] x"
      ], ["0001:73:00.1", "no unit of segment 1"], not: ["pages that the dump lacks"]),
    Case(
      "a write to device memory", legacy,
      ["DMAR: [DMA Write] Request device [00:02.0] fault addr fe800000 [fault reason 05] x"],
      ["=> peer-to-peer", "PCI Bus 0000:01"], not: ["no rule fits"]),
    Case(
      "a status word with nothing pending", legacy,
      ["Feb 01 15:38:31 host kernel: DMAR: DRHD: handling fault status reg 400"],
      ["nothing pending", "record is 4"]),
    Case(
      "an address of 64 bits, reported as a bad pointer", legacy,
      [
        "[27236.662650] DMAR: [DMA Write] Request device [00:02.0] PASID ffffffff fault addr "
          + "fffffffef8004000 [fault reason 07] Next page table ptr is invalid"
      ], ["0x7 (LSL.1)", "more than the 48 bits", "=> beyond-width"], not: ["=> bad-entry"]),
    Case(
      "address 0 near a firmware region", legacy,
      ["DMAR: [DMA Write] Request device [00:01.0] fault addr 0 [fault reason 05] x"],
      ["=> null-pointer", "0000:00:01.0, driver nvme"], not: ["ran over the end"]),
    Case(
      "the first page behind a buffer", legacy,
      [
        "DMAR: [DMA Read NO_PASID] Request device [00:1f.2] fault addr 0xffff7000 [fault reason 0x06] x"
      ],
      ["=> overrun", "rounded 23 pages up to 32"], not: ["=> revoked"]),
    Case(
      "errors of the invalidation queue", legacy,
      [
        "DMAR: VT-d detected Invalidation Time-out Error: SID 0\nDMAR: DRHD: handling fault status reg "
          + "40\nDMAR: QI PRIOR: Device-TLB Invalidation qw0 = 0x5300530000000003, qw1 = "
          + "0x7ffffffffffff001"
      ], ["messages about units, no refused request", "53:00.0 did not answer"], not: ["0 faults"]),
    Case(
      "complaints about firmware are no faults", legacy,
      [
        "DMAR: [Firmware Bug]: No firmware reserved region can cover this RMRR "
          + "[0x00000000000e8000-0x00000000000e8fff], contact BIOS vendor for fixes\n"
          + "DMAR: Failed to find handle for ACPI object \\_SB.PCI0.SDHC"
      ], ["0 faults in 2 lines", "=> firmware", "=> driver-failure"]),
    Case(
      "a storm", legacy,
      (0..<100).map {
        "DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x"
          + String(0x2_1aba_8d000 + 4096 * $0, radix: 16) + " [fault reason 0x05] x"
      }, ["100 faults, 1 kind in 100 lines", "100 pages from 0x21aba8d000 to 0x21abaf0000"]),
  ]

  @Test(arguments: cases)
  func answers(_ test: Case) {
    let run = SampleTests.run(
      ["faults", SampleTests.sample(test.sample)] + test.lines.flatMap { ["--line", $0] })
    #expect(run.status == .done)
    let text = run.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    for words in test.wanted { #expect(text.contains(words), "\(text)") }
    for words in test.refused { #expect(!text.contains(words), "\(text)") }
    for line in run.output.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
  }

  @Test func linesComeFromAFileToo() throws {
    let text = Self.cases.flatMap(\.lines).joined(separator: "\n")
    try withTestFile(Array(text.utf8), named: "lines.txt") { path in
      let run = SampleTests.run([
        "faults", SampleTests.sample(Self.legacy), "--lines", path, "--format", "json",
      ])
      #expect(run.status == .done)
      #expect(run.output.contains("\"given\": {"))
      let missing = SampleTests.run([
        "faults", SampleTests.sample(Self.legacy), "--lines", path + ".missing",
      ])
      #expect(missing.status == .failed)
      #expect(missing.errors.contains("lines.txt.missing"))
    }
  }

  @Test func theCrashKernelIsAskedByName() {
    let line =
      "DMAR: [DMA Write NO_PASID] Request device [0000:00:1f.2] fault addr 0xfff40000 [fault reason "
      + "0x79] x"
    let dump = SampleTests.sample(Self.scalable)
    let asked = SampleTests.run(["faults", dump, "--of", "crash-kernel", "--line", line])
    #expect(asked.status == .done)
    #expect(asked.output.contains("=> crash-kernel       forecast"))
    #expect(!asked.output.contains("=> mapped-now"))
    let open = SampleTests.run(["faults", dump, "--line", line])
    #expect(open.output.contains("=> crash-kernel"))
    #expect(open.output.contains("=> mapped-now"))
    let crashed = SampleTests.run(["faults", dump, "--of", "crashed-kernel", "--line", line])
    #expect(!crashed.output.contains("=> crash-kernel"))
    #expect(SampleTests.run(["faults", dump, "--of", "crash-kernel"]).status == .usage)
  }

  @Test(arguments: [
    ("error", "DMAR: VT-d detected Invalidation Time-out Error: SID 0", Outcome.found),
    ("error", "DMAR: No free IRQ vectors", .done),
    ("warning", "DMAR: No free IRQ vectors", .found),
    ("warning", "DMAR: DRHD: handling fault status reg 400", .done),
    (
      "error", "DMAR: [DMA Write] Request device [00:02.0] fault addr 0 [fault reason 05] x", .found
    ),
  ])
  func failOnTellsBySeverity(_ threshold: String, _ line: String, _ status: Outcome) {
    let run = SampleTests.run([
      "faults", SampleTests.sample(Self.legacy), "--line", line, "--fail-on", threshold,
    ])
    #expect(run.status == status)
  }

  @Test func theLogOfASampleIsCounted() {
    let run = SampleTests.run([
      "faults", SampleTests.sample(Self.legacy), "--format", "json", "--fail-on", "error",
    ])
    #expect(run.status == .done)
    #expect(run.output.contains("\"given\": null"))
    #expect(run.output.contains("\"faults\": 0"))
  }
}
