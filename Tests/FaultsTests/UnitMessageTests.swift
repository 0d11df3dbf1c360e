// SPDX-License-Identifier: Apache-2.0

import Evidence
import Memory
import RemappingState
import Testing
import VTd

@testable import Faults

/// What units say beside refused requests.
struct UnitMessageTests {
  private func explain(_ text: String) -> [UnitExplanation] {
    let explainer = UnitExplainer(FaultCauseTests.evidence())
    return FaultLog(pasted: text).units.map { explainer.explain($0) }
  }

  @Test func `a time-out names the device of the descriptor`() throws {
    let found = explain(
      """
      [ 1.0] DMAR: VT-d detected Invalidation Time-out Error: SID 0
      [ 1.0] DMAR: DRHD: handling fault status reg 40
      [ 1.0] DMAR: QI PRIOR: Device-TLB Invalidation qw0 = 0x5300530000000003, qw1 = 0x7ffffffffffff001
      [ 1.0] DMAR: Invalidation Time-out Error (ITE) cleared
      """)
    let error = try #require(found.first)
    #expect(error.kind == .invalidationError && error.severity == .error)
    #expect(error.device == PCIFunction(bus: 0x53, devfn: 0))
    #expect(error.meaning.contains("did not answer"))
    #expect(error.evidence.contains { $0.contains("Linux knows no device") })
    #expect(error.evidence.contains { $0.contains("cleared") })
    #expect(error.entries.map(\.name) == ["QI PRIOR: device TLB"])
    #expect(found.last?.kind == .status && found.last?.severity == .error)
  }

  @Test func `messages are held against the dump as far as the run may`() {
    let whole = FaultCauseTests.evidence()
    let work = WorkBudget(WorkLimits(entries: 600))
    let explainer = UnitExplainer(
      DumpEvidence(state: whole.state, memory: whole.memory, kernel: whole.kernel, work: work))
    let text =
      "DMAR: VT-d detected Invalidation Time-out Error: SID 10\n"
      + "DMAR: DRHD: handling fault status reg 2\n"
      + "DMAR: ERROR: DMA PTE for vPFN 0xffffe already set (to 5003 not 6003)\n"
      + "DMAR: Copied translation tables from previous kernel for dmar0\n"
    let found = FaultLog(pasted: text).units.map { explainer.explain($0) }
    #expect(found.map(\.kind) == [.invalidationError, .status, .alreadySet, .takeover])
    #expect(found.map { $0.meaning.contains("--max-entries") } == [false, false, true, true])
    #expect(found.allSatisfy { !$0.meaning.isEmpty })
    #expect(work.cuts.map(\.detail) == ["the explaining of messages of units"])
  }

  @Test func `a time-out names the device of the register`() {
    let found = explain("DMAR: VT-d detected Invalidation Time-out Error: SID 10")
    #expect(found.map(\.device) == [FaultCauseTests.device])
    #expect(found.map(\.driver) == ["nvme"])
  }

  @Test func `a time-out of an older unit names nobody`() {
    let found = explain("DMAR: VT-d detected Invalidation Time-out Error: SID 0")
    #expect(found.map(\.device) == [nil])
    #expect(found[0].evidence.contains { $0.contains("names no device") })
  }

  @Test func `fields of all ones are those of a unit that does not answer`() {
    let found = explain(
      "DMAR: VT-d detected Invalidation Queue Error: Reason f\n"
        + "DMAR: VT-d detected Invalidation Time-out Error: SID ffff\n"
        + "DMAR: VT-d detected Invalidation Completion Error: SID ffff\n"
        + "DMAR: DRHD: handling fault status reg ffffffff")
    #expect(found.map(\.kind) == [.unreachable, .unreachable, .unreachable, .unreachable])
    #expect(found.allSatisfy { $0.device == nil && $0.severity == .error })
  }

  @Test func `a queue error tells of the descriptor at the head`() {
    let found = explain(
      "DMAR: VT-d detected Invalidation Queue Error: Reason 3\n"
        + "DMAR: QI HEAD: IOTLB Invalidation qw0 = 0x100000000000d2, qw1 = 0x1000\n"
        + "DMAR: QI PRIOR: Invalidation Wait qw0 = 0x200000025, qw1 = 0x1fc4")
    #expect(found.count == 1)
    #expect(found[0].entries.map(\.name) == ["QI PRIOR: wait", "QI HEAD: IOTLB"])
    #expect(found[0].evidence.contains { $0.contains("reserved bits set") })
    #expect(found[0].evidence.contains { $0.contains("reason is 3") })
  }

  @Test func `completion errors, lone descriptors and lone clearings are told`() {
    #expect(
      explain("DMAR: VT-d detected Invalidation Completion Error: SID 10")[0].meaning.contains(
        "ICE"))
    #expect(
      explain("DMAR: QI HEAD: UNKNOWN qw0 = 0x0, qw1 = 0x0")[0].entries[0].name
        == "QI HEAD: empty slot")
    let cleared = explain("DMAR: Invalidation Queue Error (IQE) cleared")
    #expect(cleared[0].kind == .invalidationError && cleared[0].severity == .error)
  }

  @Test(arguments: [
    ("400", "nothing pending", Finding.Severity.info), ("2", "pending (record 0)", .info),
    ("302", "pending (record 3)", .info), ("3", "faults were lost", .warning),
    ("40", "invalidation time-out", .error), ("10", "invalidation queue", .error),
    ("ffffffff", "all ones", .error), ("0", "nothing pending", .info),
  ])
  func `status words are decoded bit by bit`(
    _ word: String, _ meaning: String, _ severity: Finding.Severity
  ) {
    let found = explain("DMAR: DRHD: handling fault status reg \(word)")
    #expect(found.map(\.severity) == [severity])
    #expect(found[0].meaning.contains(meaning), "\(found[0].meaning)")
  }

  @Test func `page requests are decoded, whatever form they come in`() {
    let old = explain("DMAR: IOMMU: dmar0: Page request without PASID: 00000000 00000000")
    #expect(old.map(\.kind) == [.pageRequest])
    #expect(old[0].unit == "dmar0")
    #expect(old[0].evidence == ["the descriptor is empty"])
    // Since 5.12 cause and words come in two messages.
    let new = explain(
      "DMAR: IOMMU: dmar0: Page request in Privilege Mode\n"
        + "DMAR: dmar0: Invalid page request: 2000070000100101 7f2a1c000003")
    #expect(new.count == 1)
    #expect(new[0].device == FaultCauseTests.device)
    #expect(new[0].meaning.contains("privilege"))
    #expect(new[0].iova == IOVirtualAddress(0x7f2a_1c00_0000))
    #expect(new[0].evidence.contains { $0.contains("PASID 1792") && $0.contains("not bound") })
    #expect(explain("DMAR: IOMMU: dmar0: PRQ overflow detected")[0].severity == .warning)
    #expect(explain("DMAR: IOMMU: dmar0: PRQ overflow cleared").count == 1)
    for words in [
      "Execution request not supported", "Address is not canonical",
      "Page request for invalid PASID 7: 1 2",
    ] {
      #expect(explain("DMAR: IOMMU: dmar0: \(words)").map(\.kind) == [.pageRequest])
    }
    #expect(explain("kvm: Address is not canonical").isEmpty)
  }

  @Test func `an entry that was set is decoded, and who has the address is told`() {
    let other = explain("DMAR: ERROR: DMA PTE for vPFN 0xffff0 already set (to 9003 not 123803)")
    #expect(other.map(\.kind) == [.alreadySet])
    #expect(other[0].iova == IOVirtualAddress(0xffff_0000))
    #expect(other[0].entries.map(\.logged) == [[0x9003], [0x123803]])
    #expect(other[0].evidence.contains { $0.contains("maps it to 0x9000, rw: the old page still") })
    let region = explain("DMAR: ERROR: DMA PTE for vPFN 0xf0 already set (to f0003 not 173025001)")
    #expect(region[0].meaning.contains("not set aside in the allocator"))
    let same = explain(
      "DMAR: ERROR: DMA PTE for vPFN 0x428ec already set (to 3f6ec003 not 3f6ec003)")
    #expect(same[0].meaning.contains("mapped twice"))
    #expect(same[0].evidence.contains { $0.contains("no domain of the dump") })
    let identity = explain(
      "DMAR: ERROR: DMA PTE for vPFN 0x428ec already set (to 428ec003 not 1003)")
    #expect(identity[0].meaning.contains("to itself"))
    let far = explain(
      "DMAR: ERROR: DMA PTE for vPFN 0xffffffffffffffff already set (to 428ec003 not 1003)")
    #expect(far[0].iova == nil)
  }

  @Test func `complaints about firmware are held against regions and memory`() {
    let found = explain(
      "DMAR: [Firmware Bug]: No firmware reserved region can cover this RMRR "
        + "[0x00000000000f0000-0x00000000000fffff], contact BIOS vendor for fixes\n"
        + "DMAR: [Firmware Bug]: Your BIOS is broken; bad RMRR "
        + "[0x0000000038800000-0x000000003cffffff]\n"
        + "DMAR: [Firmware Bug]: RMRR entry for device 03:00.0 is broken - applying workaround\n"
        + "Your BIOS is broken; DMAR reported at address fed64000 returns all ones!")
    #expect(found.map(\.kind) == [.firmware, .firmware, .firmware, .unreachable])
    #expect(found[0].severity == .warning && found[3].severity == .error)
    #expect(found[0].evidence.contains { $0.contains("rmrr 0xf0000 to 0xfffff of 0000:00:02.0") })
    #expect(found[1].evidence.contains { $0.contains("memory map has there: memory") })
  }

  @Test func `dumped tables are held against those of the dump`() {
    let lines = """
      DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0xffff3000 [fault reason 0x05] x
      DMAR: Dump dmar0 table entries for IOVA 0xffff3000
      DMAR: root entry: 0x0000000000002001
      DMAR: context entry: hi 0x0000000000000402, low 0x0000000000004001
      DMAR: pte level: 4, pte value: 0x0000000000005003
      DMAR: pte level: 3, pte value: 0x0000000000006003
      DMAR: pte level: 2, pte value: 0x0000000000007003
      DMAR: pte level: 1, pte value: 0x0000000000013003
      DMAR: page table not present at level 0
      """
    let changed = explain(lines)
    #expect(changed.map(\.kind) == [.tables])
    #expect(changed[0].entries.count == 6)
    #expect(
      changed[0].evidence == [
        "changed since: paging entry, level 1; what the dump says of the way is not what the device "
          + "met"
      ])
    let same = explain(lines.replacing("0013003", with: "0000000"))
    #expect(same[0].evidence == ["all 6 entries are the same in the dump"])
    let alone = explain(String(lines.drop { $0 != "\n" }))
    #expect(alone[0].evidence[0].contains("the device is not known"))
    let scalable = explain(
      """
      DMAR: Dump dmar0 table entries for IOVA 0x1000
      DMAR: scalable mode root entry: hi 0x1, low 0x2
      DMAR: context entry: hi 0x0, low 0x3
      DMAR: pasid dir entry: 0x0000000103a15001
      DMAR: pasid table entry[0]: 0x0000000103a18089
      DMAR: pasid table entry[9]: 0x0
      DMAR: scalable mode page table is not present
      """)
    #expect(
      scalable[0].entries.map(\.name) == [
        "root entry", "context entry", "PASID directory entry", "PASID entry, word 0",
      ])
    #expect(explain("DMAR: pte level: 4, pte value: 0x0")[0].meaning.contains("head is missing"))
  }

  @Test func `a CPU that hangs in the queue is an error`() {
    let found = explain(
      "[ 1.0] NMI watchdog: Watchdog detected hard LOCKUP on cpu 13\n"
        + "[ 1.0] RIP: 0010:qi_submit_sync+0x2c5/0x490\n[ 1.0]  qi_submit_sync+0x1/0x2")
    #expect(found.map(\.kind) == [.lockup])
    #expect(found[0].severity == .error)
    #expect(found[0].text == "NMI watchdog: Watchdog detected hard LOCKUP on cpu 13")
  }

  @Test func `failures and other units' messages keep their words`() {
    let found = explain(
      "DMAR: Failed to find handle for ACPI object \\_SB.PCI0.SDHC\nDMAR-IR: Failed to copy IR table\n"
        + "DMAR hardware is malfunctioning\nAMD-Vi: Event logged [IO_PAGE_FAULT device=63:00.0]\n"
        + "arm-smmu-v3 arm-smmu-v3.0.auto: event 0x10 received:\n"
        + "(XEN) [VT-D]iommu_fault_status: Fault Overflow")
    #expect(found.map(\.kind) == [.failure, .failure, .malfunction, .foreign, .foreign, .foreign])
    #expect(found.map(\.severity) == [.warning, .error, .error, .info, .info, .warning])
    #expect(found[1].text == "DMAR-IR: Failed to copy IR table")
  }

  /// A message of the driver as Linux prints it, what failed, and how grave that is.
  struct Failure: Sendable, CustomTestStringConvertible {
    var line: String
    var failure: DriverFailure
    var severity = Finding.Severity.warning
    var device: PCIFunction?
    var testDescription: String { line }
  }

  static let failures: [Failure] = [
    .init(line: "DMAR: dmar0: No free domain ids", failure: .domainIDs),
    .init(
      line: "DMAR: Allocating domain for 0000:00:02.0 failed", failure: .domain,
      device: PCIFunction("0000:00:02.0")),
    .init(line: "DMAR: No first level translation support on dmar0", failure: .attach),
    .init(line: "DMAR: No 5-level paging support for first-level on dmar0", failure: .attach),
    .init(
      line: "nvme 0000:3a:00.0: DMAR: Setup RID2PASID failed", failure: .attach,
      device: PCIFunction("0000:3a:00.0")),
    .init(
      line: "vfio-pci 0000:03:00.0: DMAR: Domain context map failed", failure: .attach,
      device: PCIFunction("0000:03:00.0")),
    .init(
      line: "vfio-pci 0000:03:00.0: DMAR: intel_iommu_attach_device: iommu width (39) is not "
        + "sufficient for the mapped address (8000000000)", failure: .width,
      device: PCIFunction("0000:03:00.0")),
    .init(line: "DMAR: Failed to build identity map for [100000-13ffff]", failure: .identityMap),
    .init(line: "DMAR: No free IRQ vectors", failure: .faultInterrupt),
    .init(line: "DMAR: Can't request irq", failure: .faultInterrupt),
    .init(
      line: "DMAR: DRHD fed90000: failed to enable fault, interrupt, ret -22",
      failure: .faultInterrupt),
    .init(line: "DMAR-IR: Failed to enable queued invalidation", failure: .invalidationQueue),
    .init(line: "DMAR: Flush IOTLB failed", failure: .flush),
    .init(
      line: "DMAR-IR: Failed to enable irq remapping. You are vulnerable to irq-injection attacks.",
      failure: .interruptRemapping, severity: .error),
    .init(line: "DMAR-IR: IR3: can't allocate an IRTE", failure: .interruptEntry),
    .init(
      line: "DMAR-IR: Requested mask 7 exceeds the max invalidation handle mask value 4",
      failure: .interruptEntry),
    .init(line: "DMAR-IR: Failed to set source-id of IOAPIC (2)", failure: .interruptSource),
    .init(line: "DMAR-IR: Exceeded Max IO APICS", failure: .interruptSource),
    .init(
      line: "DMAR-IR: Not enabling interrupt remapping", failure: .interruptRemapping,
      severity: .error),
    .init(
      line: "DMAR-IR: This system BIOS has enabled interrupt remapping",
      failure: .interruptRemapping,
      severity: .error),
    .init(
      line: "DMAR: Can't validate DRHD address: fed90000", failure: .registers, severity: .error),
    .init(line: "DMAR: Failed to map dmar0", failure: .registers, severity: .error),
    .init(
      line: "DMAR: Cannot get a valid agaw for iommu (seq_id = 1)", failure: .tableWidth),
    .init(
      line: "DMAR: dmar1: No supported address widths. Not attempting DMA translation.",
      failure: .tableWidth),
    .init(line: "DMAR: Initialization failed", failure: .start, severity: .error),
    .init(line: "DMAR: Parse DMAR table failure.", failure: .start, severity: .error),
    .init(line: "DMAR: Invalid DMAR haw", failure: .start, severity: .error),
    .init(line: "DMAR: No DMAR devices found", failure: .start, severity: .error),
    .init(line: "DMAR: Failed to find handle for ACPI object \\_SB.PCI0.SDHC", failure: .scope),
    .init(line: "DMAR: Unsupported device scope", failure: .scope),
    .init(line: "DMAR: Device scope bus [128] not found", failure: .scope),
    .init(
      line: "DMAR: No IOMMU scope found for ANDD enumeration ID 3 (\\_SB.PCI0.SDHC)",
      failure: .scope),
    .init(line: "DMAR: ACPI name space devices didn't probe correctly", failure: .scope),
    .init(
      line: "DMAR: Device scope type does not match for 0000:00:03.0", failure: .scopeType,
      severity: .error, device: PCIFunction("0000:00:03.0")),
    .init(
      line: "idxd 0000:6a:01.0: DMAR: Failed to enable PASID capability", failure: .pasid,
      device: PCIFunction("0000:6a:01.0")),
    .init(
      line: "DMAR: IOMMU: dmar0: Failed to allocate page request queue", failure: .pageRequests),
    .init(line: "DMAR: Failed to do something new", failure: .other),
  ]

  @Test(arguments: failures)
  func `what of the driver failed is told apart`(_ failure: Failure) throws {
    let log = FaultLog(pasted: "[    1.000000] " + failure.line)
    let message = try #require(log.units.first?.message)
    #expect(message == .failure(failure.failure, failure.device))
    let found = explain(failure.line)
    #expect(found.map(\.kind) == [.failure])
    #expect(found.first?.severity == failure.severity)
    #expect(found.first?.device == failure.device)
  }

  @Test func `each failure has a meaning of its own, and every kind is met`() {
    let meanings = Self.failures.compactMap { explain($0.line).first?.meaning }
    #expect(Set(meanings).count == DriverFailure.allCases.count)
    #expect(Set(Self.failures.map(\.failure)).count == DriverFailure.allCases.count)
  }

  @Test func `how a kernel took units over is told`() {
    let found = explain(
      "DMAR: Translation already enabled - trying to copy translation structures\n"
        + "DMAR: Copied translation tables from previous kernel for dmar0\n"
        + "DMAR: Failed to copy translation tables from previous kernel for dmar1\n"
        + "DMAR: Translation was enabled for dmar2 but we are not in kdump mode\n"
        + "DMAR-IR: Copied IR table for dmar0 from previous kernel\n"
        + "DMAR-IR: Failed to copy IR table for dmar1 from previous kernel\n"
        + "DMAR-IR: IRQ remapping was enabled on dmar2 but we are not in kdump mode")
    #expect(found.map(\.kind) == Array(repeating: .takeover, count: 7))
    #expect(found.map(\.severity) == [.info, .info, .error, .info, .info, .error, .info])
    #expect(found.map(\.unit) == [nil, "dmar0", "dmar1", "dmar2", "dmar0", "dmar1", "dmar2"])
    #expect(found[2].meaning.contains("empty root"))
  }

  @Test func `a device that firmware binds is held against its regions`() {
    let found = explain(
      "vfio-pci 0000:00:02.0: Device is ineligible for IOMMU domain attach due to platform RMRR "
        + "requirement.\nDevice is ineligible for IOMMU domain attach due to platform RMRR\n"
        + "mlx5 0000:09:00.0: Firmware has requested this device have a 1:1 IOMMU mapping, rejecting"
    )
    #expect(found.map(\.kind) == [.firmware, .firmware, .firmware])
    #expect(found.map(\.device) == [FaultCauseTests.device, nil, PCIFunction(bus: 9, devfn: 0)])
    #expect(found[0].evidence == ["in the dump: rmrr 0xf0000 to 0xfffff, mapped partial"])
    #expect(found[2].evidence == ["the dump has no such region for the device"])
  }

  @Test func `registers and descriptors tile their words`() {
    #expect(FaultStatus(0x1302).recordIndex == 0x13)
    let request = PageRequestDescriptor(words: [0x0030_0005_0010_0101, 0x7000_0000_100f])
    #expect(request.type == 1 && request.hasPASID && request.pasid == 5)
    #expect(request.sourceID == 0x10 && request.isExecute && request.isPrivileged)
    #expect(request.isRead && request.isWrite && request.isLastInGroup && request.group == 1)
    #expect(request.address == IOVirtualAddress(0x7000_0000_1000))
    for layout in [FaultStatus.layout, PageRequestDescriptor.layout] {
      var next = 0
      for field in layout {
        #expect(field.bits.lowerBound == next)
        next = field.bits.upperBound + 1
      }
    }
  }
}
