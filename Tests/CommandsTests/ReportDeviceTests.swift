// SPDX-License-Identifier: Apache-2.0

import RemappingState
import Testing

@testable import Commands

/// `report --device`, names of devices, and what the kernel tells of itself.
struct ReportDeviceTests {
  @Test func anUnknownDeviceNamesTheOthers() {
    let run = CommandRun("report", "x", "--device", "7f:00.0")
    #expect(run.status == .failed)
    #expect(run.output.isEmpty)
    #expect(run.errors.contains("knows a device 0000:7f:00.0; there are 0000:00:02.0"))
  }

  @Test func aDeviceOfTheSample() {
    let run = CommandRun("report", "x", "--device", "00:03.0")
    #expect(run.status == .done)
    #expect(run.output.hasPrefix("DEVICE 0000:00:03.0\n"))
    #expect(run.output.contains("unmanaged: its user maps, such as VFIO"))
  }

  @Test(arguments: ["6.1-legacy.vmcore", "7.3-scalable.vmcore"])
  func devicesOfTheSamplesAreAnsweredWithoutDoubt(_ name: String) {
    let run = SampleTests.run(["report", SampleTests.sample(name), "--device", "00:02.0"])
    #expect(run.status == .done, "\(run.errors)")
    #expect(run.output.contains("kernel code           no: no mapping leads to 0x"))
    #expect(run.output.contains("IOMMU tables          no: "))
    for line in run.output.split(separator: "\n") { #expect(line.utf8.count <= 100, "\(line)") }
  }

  // MARK: Names

  private static let list = Array(
    """
    # a comment
    1234  Maker One
    \t10d3  Board of One
    8086  Intel Corporation
    \t10d2  Another Board
    \t10d3  82574L Gigabit Network Connection
    \t\t103c 1234  a subsystem
    8087  Maker Three
    C 00  Unclassified device
    """.utf8)

  @Test(
    arguments: [
      ("8086:10d3", "Intel Corporation 82574L Gigabit Network Connection"),
      ("1234:10d3", "Maker One Board of One"), ("8086:ffff", "Intel Corporation"),
      ("8087:0001", "Maker Three"), ("9999:0001", nil), ("8086", nil), ("", nil),
    ] as [(String, String?)])
  func namesComeFromTheList(_ id: String, _ name: String?) {
    #expect(PCINames.names(of: [id], in: Self.list)[id] == name)
  }

  // MARK: The kernel's own words

  @Test func wordsAboutRemapping() {
    #expect(
      StartUp.words(
        of:
          "root=/dev/sda1 intel_iommu=on,sm_on iommu.strict=1 quiet iommu=pt nointremap crashkernel=1G"
      )
        == ["intel_iommu=on,sm_on", "iommu.strict=1", "iommu=pt", "nointremap"])
  }

  @Test(arguments: [
    ("DMAR: IOMMU enabled", true),
    ("iommu: DMA domain TLB invalidation policy: lazy mode (set via kernel command line)", true),
    ("DMAR: Intel-IOMMU force enabled due to platform opt in", true),
    ("DMAR: Device scope type does not match for 0000:00:03.0", true),
    ("DMAR: Initialization failed", true),
    ("DMAR: Parse DMAR table failure.", true),
    ("DMAR: dmar1: No supported address widths. Not attempting DMA translation.", true),
    ("DMAR-IR: Not enabling interrupt remapping", true),
    ("DMAR: DRHD: handling fault status reg 2", false),
    ("DMAR: [DMA Read NO_PASID] Request device [00:04.0] fault addr 0x1000", false),
    ("pci 0000:00:00.0: Adding to iommu group 0", false),
  ])
  func linesThatTellHowItCameUp(_ line: String, _ tells: Bool) {
    #expect(StartUp.tells(line) == tells)
  }
}
