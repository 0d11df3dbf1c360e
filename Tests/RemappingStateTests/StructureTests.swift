// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import TableFixtures
import Testing

/// Kinds of structures print as reports always called them, and read back as what they were.
struct StructureTests {
  /// The texts of reports, which scripts and people know.
  @Test(
    arguments: [
      (.dump, "dump"),
      (.kernel(.copiedTables), "copied_tables"),
      (.kernel(.allocation), "struct iova"),
      (.kernel(.devicesOfBus, number: "3"), "devices of bus 3"),
      (.kernel(.deviceScope, number: "drhd-fed90000"), "device scope of drhd-fed90000"),
      (.kernel(.flushQueueOfCPU, number: "12"), "IOVA flush queue of CPU 12"),
      (.kernel(.flushQueue), "IOVA flush queue"),
      (.table(.contextTable, bus: 0x0a), "context table of bus 0a"),
      (.table(.rootTable), "root table"),
      (.contexts, "contexts"),
      (
        .pageTable(.second, level: 2, iova: IOVirtualAddress(0x1000)),
        "second-stage table, level 2, IOVA 0x1000"
      ),
      (.sharedPageTable(level: 1), "page table of level 1"),
      (.interruptEntry(index: 7), "interrupt-remapping entry 7"),
      (.kernel(.interruptTable), "interrupt-remapping table"),
      (.tablePage(.interruptRemapping(unit: "dmar0")), "interrupt-remapping table of dmar0"),
      (.tablePage(.table(.rootTable, unit: "dmar0")), "root table of dmar0"),
      (.tablePage(.invalidationQueue(unit: "dmar1")), "invalidation queue of dmar1"),
      (
        .tablePage(
          .pageTable(
            level: 3,
            of: TableOwner(
              unit: "dmar0", domainID: 5, kernelObject: KernelAddress(0xffff_8881_0000_0000)))),
        "page table of level 3 of dmar0 domain-id 5 0xffff888100000000"
      ),
      (.freePage, "free page"), (.structPage, "struct page"), (.targets, "targets of mappings"),
      (.other("struct intel_iommu_v9"), "struct intel_iommu_v9"), (.other(""), ""),
    ] as [(Structure, String)])
  func printsAndReadsBack(_ structure: Structure, _ text: String) {
    #expect(structure.description == text)
    #expect(Structure(text) == structure)
  }

  @Test func everyKernelStructureReadsBack() {
    for kernel in KernelStructure.allCases {
      let structure = Structure.kernel(kernel, number: kernel.hasNumber ? "dmar 7" : nil)
      #expect(Structure(structure.description) == structure, "\(structure)")
    }
    for table in TableStructure.allCases {
      for bus in [nil, 0, 9, 0x10, 0xff] as [UInt8?] {
        let structure = Structure.table(table, bus: bus)
        #expect(Structure(structure.description) == structure, "\(structure)")
      }
    }
  }

  /// What is nearly a text of ours is kept to the letter, and never taken for ours.
  @Test(arguments: [
    "Dump", "dump ", " dump", "context table of bus a", "context table of bus 0A",
    "context table of bus 100", "second-stage table, level 02, IOVA 0x1000",
    "second-stage table, level 2, IOVA 4096", "third-stage table, level 2, IOVA 0x1000",
    "interrupt-remapping entry +7", "page table of level", "devices of bus", "IOVA cache of CPU",
    "struct iova 3",
  ])
  func otherTextsStayTexts(_ text: String) {
    #expect(Structure(text) == .other(text))
    #expect(Structure(text).description == text)
  }

  @Test func anyTextSurvives() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let words = [
      "page", "table", "of", "level", "bus", "dmar0", "domain-id", "0xffff", "5", "0a", "context",
      "IOVA", "CPU", "devices", "", "second-stage", "table,", "2,", "interrupt-remapping", "entry",
    ]
    for _ in 0..<20_000 {
      let text = (0..<random.next() % 9).map { _ in
        words[Int(random.next() % UInt64(words.count))]
      }.joined(separator: " ")
      #expect(Structure(text).description == text, "seed \(seed)")
    }
  }

  @Test func classes() {
    let buses: [KernelStructure] = [.buses, .rootBuses, .bus, .devicesOfBus, .pciDevice]
    #expect(buses.allSatisfy { $0.isPartOfPCITree && $0.isPartOfDevices })
    #expect(KernelStructure.device.isPartOfDevices && !KernelStructure.device.isPartOfPCITree)
    #expect(!KernelStructure.hostBridgeWindows.isPartOfDevices)
    #expect(KernelStructure.deferredFlush.isPartOfAllocators)
    #expect(!KernelStructure.reservedTemplate.isPartOfAllocators)
    // Words that their texts have in common with tables of the hardware do not make them such.
    for kernel in [KernelStructure.copiedTables, .rootEntry, .rootBuses, .pasidArray] {
      #expect(!Structure.kernel(kernel).isContextStructure)
    }
  }

  @Test func absencesKeepTheirKind() {
    let absences: [(Absence, Cause)] = [
      (.excluded, .excluded), (.zeroOrExcluded, .zeroOrExcluded), (.notInDump, .notInDump),
      (.truncated(fileOffset: 1), .truncated), (.corrupt(fileOffset: 1, "zlib"), .corrupt),
      (.unsupported("lzo"), .unsupported), (.system(errno: 5), .system),
    ]
    for (absence, cause) in absences { #expect(Cause(absence) == cause) }
  }
}
