// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures

extension RemappingState {
  /// Maps one more page in a domain.
  fileprivate mutating func map(
    _ unit: String, _ id: UInt32, _ iova: IOVirtualAddress, _ physical: PhysicalAddress,
    _ access: Access = .readWrite
  ) {
    domain(unit, id) { domain in
      domain.mapping?.runs.append(
        Run(iova: iova, length: 0x1000, physical: physical, access: access))
      domain.mapping?.runs.sort { $0.iova < $1.iova }
    }
  }
}

extension Fault {
  /// Faults of the hardware's tables.
  static let ofTables: [Fault] = [
    Fault(
      "context entry with a width that the unit lacks", ["context.field-impossible error"],
      "the context entry of bus 00 is not one that the unit can use: AW is 0x3: not in SAGAW"
    ) {
      $0.observations = [
        Observation(
          .reservedBits, unit: "dmar0", device: "0000:00:02.0",
          structure: Structure("context entry of bus 00"), address: 0x10_3100,
          cause: .impossibleField, detail: "AW is 0x3: not in SAGAW")
      ]
    },
    Fault(
      "PASID entry with reserved bits", ["context.reserved-bits error"],
      "the PASID entry of bus 40 has reserved bits 0x200"
    ) {
      $0.observations = [
        Observation(
          .reservedBits, unit: "dmar1", structure: Structure("PASID entry of bus 40"),
          address: 0x20_8000,
          cause: .reservedBits, detail: "reserved bits 0x200")
      ]
    },
    Fault(
      "context table of two buses", ["context.table-shared error"],
      "the context table of bus 01 serves more than one: the page is also used for bus 00"
    ) {
      $0.observations = [
        Observation(
          .alias, unit: "dmar0", structure: Structure("context table of bus 01"),
          address: 0x10_3000,
          detail: "the page is also used for bus 00")
      ]
    },
    Fault("alias inside a page table is no fault of a context", []) {
      $0.observations = [
        Observation(
          .alias, unit: "dmar0", domainID: 5,
          structure: Structure("second-stage table, level 1, IOVA 0x0"))
      ]
    },
    Fault(
      "context that points where no memory is", ["context.table-outside-memory error"],
      "the context points to a table at 0xfed1c000, where the machine has no memory"
    ) { $0.context("0000:00:02.0") { $0.table = 0xfed1_c000 } },
    Fault("context that points anywhere, and the memory map is unknown", []) {
      $0.memoryMap = []
      $0.context("0000:00:02.0") { $0.table = 0xfed1_c000 }
    },
    Fault(
      "two tables under one domain-id",
      ["context.domain-id-mismatch error", "domain.id-shared error"]
    ) { $0.context("0000:00:03.0") { $0.domainID = 5 } },
    Fault("two tables under domain-id 1 in scalable mode", []) {
      $0.contexts.append($0.contexts[6])
      $0.contexts[$0.contexts.count - 1].pasid = 4
      $0.contexts[$0.contexts.count - 1].table = 0x78_0000
    },
    Fault("two tables under one id that a previous kernel left", []) {
      $0.unit("dmar0") { $0.copiedContexts = ["0000:00:03.0"] }
      $0.context("0000:00:03.0") { $0.domainID = 5 }
    },
    Fault(
      "one table under two domain-ids",
      ["context.domain-id-mismatch error", "domain.table-under-two-ids error"]
    ) {
      $0.unit("dmar0") { $0.domainIDs.used?.append(9) }
      $0.context("0000:00:1f.7") { $0.domainID = 9 }
    },
    Fault("one process's table under two domain-ids", []) {
      $0.contexts.append($0.contexts[6])
      $0.contexts[$0.contexts.count - 1].domainID = 9
      $0.unit("dmar1") { $0.domainIDs.used?.append(9) }
    },
    Fault(
      "table page of two domains", ["domain.table-shared error"],
      "a page table of level 1 of domain-id 6 is not its own: it is also a table of level 2 of dmar0"
        + " domain-id 5, and so are 2 more"
    ) {
      $0.observations = [
        Observation(
          .sharedTable, unit: "dmar0", domainID: 6, structure: Structure("page table of level 1"),
          address: 0x30_1000, detail: "it is also a table of level 2 of dmar0 domain-id 5", count: 3
        )
      ]
    },
    Fault(
      "mapping beyond the unit's width", ["domain.beyond-width warning"],
      "domain-id 7 maps IOVA 0x1000000000000, beyond the 48 bits that the unit translates"
    ) { $0.map("dmar0", 7, 0x1_0000_0000_0000, 0x5_0000_0000) },
    Fault("mapping at the last page of the unit's width", []) {
      $0.map("dmar0", 7, 0xffff_ffff_f000, 0x5_0000_0000)
    },
    Fault(
      "translation on without root table", ["unit.no-root-table error"],
      "translation is on, and the kernel has no root table for the unit"
    ) {
      $0.unit("dmar1") { $0.rootTable = nil }
    },
    Fault("root pointer that could not be read", ["kernel.unreadable warning"]) {
      $0.unit("dmar1") { $0.rootTable = nil }
      $0.observations = [
        Observation(.unreadable, unit: "dmar1", structure: Structure("root_entry"), detail: "gone")
      ]
    },
    Fault(
      "requests refused, told by the log", ["log.faults error", "log.faults error"],
      "the kernel log has refused requests of this source id (under which 0000:00:1f.2 may"
        + " send too): 1 write; `iommuscope faults` explains them"
    ) {
      $0.faults = FaultSummary(devices: [
        .init(device: "0000:00:1f.7", writes: 1), .init(device: "0000:00:02.0", reads: 2),
      ])
    },
    Fault(
      "errors of units, told by the log", ["log.unit-errors error", "log.unit-errors warning"],
      "the kernel log says 3 times: a device did not answer the invalidation of its TLB;"
        + " `iommuscope faults` explains it"
    ) {
      $0.faults = FaultSummary(messages: [
        .init(kind: .timeOut, count: 3), .init(kind: .failure, count: 1),
      ])
    },
    Fault("a log that could not be read", []) { $0.faults = FaultSummary(problem: "gone") },
    Fault(
      "unit whose devices are not there", ["unit.no-device-in-scope info"],
      "Linux found none of the 2 devices that firmware names for the unit"
    ) { $0.unit("dmar1") { $0.scope = [nil, nil] } },
    Fault("unit for all the rest", []) {
      $0.unit("dmar1") {
        $0.scope = []
        $0.includeAll = true
      }
    },
  ]

  /// Faults in what is mapped, allocated and reserved.
  static let ofMachine: [Fault] = [
    Fault(
      "reference too few", ["domain.references error"],
      "the kernel counts 0 attachments of domain-id 5, and 1 device is attached"
    ) { $0.domain("dmar0", 5) { $0.references = 0 } },
    Fault("references as they should be", []) { $0.domain("dmar0", 5) { $0.references = 1 } },
    Fault("reference too many", ["domain.references warning"]) {
      $0.domain("dmar0", 5) { $0.references = 2 }
    },
    Fault("references of devices whose attachment was not read", ["kernel.unreadable warning"]) {
      $0.domain("dmar0", 5) { $0.references = 2 }
      $0.observations = [
        Observation(.unreadable, structure: .kernel(.deviceInfo), cause: .unmapped)
      ]
    },
    Fault("references of a kernel that took over", []) {
      $0.unit("dmar0") { $0.inherited = true }
      $0.domain("dmar0", 5) { $0.references = 2 }
    },
    Fault(
      "range allocated and not mapped", ["iova.allocated-not-mapped info"],
      "1 range is allocated in domain-id 5 and not mapped, the first is 0xffff8000 to 0xffff9fff"
    ) {
      $0.domain("dmar0", 5) { domain in
        domain.iova?.allocated.append(
          IOVARange(start: 0xffff_8000, end: 0xffff_9fff, state: .unmapped))
      }
    },
    Fault("range not mapped, and the caches are unreadable", ["kernel.unreadable warning"]) {
      $0.domain("dmar0", 5) { domain in
        domain.iova?.allocated.append(
          IOVARange(start: 0xffff_8000, end: 0xffff_9fff, state: .unmapped))
      }
      $0.observations = [
        Observation(.unreadable, structure: Structure("IOVA caches"), detail: "gone")
      ]
    },
    Fault(
      "range not mapped, and part of the tables is unreadable", ["domain.tables-unreadable warning"]
    ) {
      $0.domain("dmar0", 5) { domain in
        domain.walk?.unreadable = 1
        domain.iova?.allocated.append(
          IOVARange(start: 0xffff_8000, end: 0xffff_9fff, state: .unmapped))
      }
    },
    Fault(
      "flush queue that is far behind", ["iova.flush-pending info"],
      "1025 ranges of domain-id 5 with 4198400 bytes are unmapped and wait for their flush"
    ) { $0.fill(5, 1024, .pending) },
    Fault("flush queue as at any crash", []) { $0.fill(5, 200, .pending) },
    Fault(
      "driver that forgets to unmap", ["iova.leak-suspect info"],
      "domain-id 5 (driver i915) holds 9003 live ranges with 36888576 bytes, most of the machine's"
    ) { $0.fill(5, 9000, .live) },
    Fault("busy driver", []) { $0.fill(5, 5000, .live) },
    Fault("two busy drivers", []) {
      $0.fill(5, 9000, .live)
      $0.fill(6, 9000, .live)
    },
    Fault(
      "reserved region in usable memory",
      ["region.overlaps-memory error", "domain.maps-no-memory info"],
      "the reserved region 0xb0000000 to 0xb0003fff overlaps usable memory from 0xb0000000 on; the"
        + " firmware's table is wrong"
    ) {
      $0.reservedRegions[1].base = 0xb000_0000
      $0.reservedRegions[1].end = 0xb000_3fff
    },
    Fault(
      "reserved region that firmware did not reserve",
      ["region.outside-firmware warning", "domain.maps-no-memory info"],
      "the reserved region 0xc0000000 to 0xc0000fff is not inside any range that firmware reserves"
    ) {
      $0.reservedRegions[1].base = 0xc000_0000
      $0.reservedRegions[1].end = 0xc000_0fff
    },
    Fault("reserved region anywhere, and the memory map is unknown", []) {
      $0.memoryMap = []
      $0.reservedRegions[1].base = 0xb000_0000
    },
    Fault(
      "mapping over the interrupt window", ["domain.maps-msi-window error"],
      "domain-id 7 maps part of the interrupt window, from 0xfeeff000 on; writes there raise"
        + " interrupts instead"
    ) { $0.map("dmar0", 7, 0xfeef_f000, 0x5_0000_0000) },
    Fault("mapping right behind the interrupt window", []) {
      $0.map("dmar0", 7, 0xfef0_0000, 0x5_0000_0000)
    },
    Fault(
      "writable mapping of the kernel's code", ["domain.maps-kernel-text error"],
      "domain-id 7 maps the kernel's code: IOVA 0xf0000000 to physical 0x40001000, writable"
    ) { $0.map("dmar0", 7, 0xf000_0000, 0x4000_1000) },
    Fault("readable mapping of the kernel's code", ["domain.maps-kernel-text warning"]) {
      $0.map("dmar0", 7, 0xf000_0000, 0x4000_1000, .read)
    },
    Fault(
      "mapping of the crash kernel's memory", ["domain.maps-crash-kernel error"],
      "domain-id 7 maps memory of the crash kernel: IOVA 0xf0000000 to physical 0xaffff000, writable"
    ) { $0.map("dmar0", 7, 0xf000_0000, 0xafff_f000) },
    Fault("mapping right behind the crash kernel's memory", []) {
      $0.map("dmar0", 7, 0xf000_0000, 0xb000_0000)
    },
    Fault(
      "mapping of a table", ["domain.maps-tables error"],
      "domain-id 5 maps 1 table page of the remapping unit; the first is a root table of dmar0,"
        + " IOVA 0x1000 maps it with access rw"
    ) {
      $0.observations = [
        Observation(
          .mapsTable, unit: "dmar0", device: "0000:00:02.0", domainID: 5,
          structure: Structure("root table of dmar0"), address: 0x10_2000,
          detail: "IOVA 0x1000 maps it with access rw")
      ]
    },
    Fault(
      "mapping of a free page", ["domain.maps-free-memory error"],
      "domain-id 5 maps pages in 2 places that the kernel holds for free; IOVA 0x1000 maps it with"
        + " access r"
    ) {
      $0.observations = [
        Observation(
          .freePage, unit: "dmar0", device: "0000:00:02.0", domainID: 5,
          structure: Structure("free page"),
          address: 0x10_2000, detail: "IOVA 0x1000 maps it with access r", count: 2)
      ]
    },
    Fault(
      "DMA mapping of what is not memory", ["domain.maps-no-memory info"],
      "domain-id 6 maps 1 range that is not memory; the first is IOVA 0xf0000000 to physical"
        + " 0xc0000000"
    ) {
      $0.map("dmar0", 6, 0xf000_0000, 0xc000_0000)
      $0.allocate(6, 0xf000_0000)
    },
    Fault(
      "mapping onto itself of what may be firmware's, as not all of its regions are known",
      ["kernel.unreadable warning"]
    ) {
      $0.map("dmar0", 6, 0xc000_0000, 0xc000_0000)
      $0.allocate(6, 0xc000_0000)
      $0.observations = [Observation(.unreadable, structure: .kernel(.reservedRegion))]
    },
    Fault(
      "page that two groups may write", ["domain.shared-page info"],
      "a page is writable through domain-id 5 and through domain-id 6; the first is at 0x123451000"
    ) {
      $0.map("dmar0", 6, 0xf000_0000, 0x1_2345_1000)
      $0.allocate(6, 0xf000_0000)
    },
    Fault("page that one group may write and another may read", []) {
      $0.map("dmar0", 6, 0xf000_0000, 0x1_2345_1000, .read)
      $0.allocate(6, 0xf000_0000)
    },
    Fault("page that two devices of one group may write", []) {
      $0.device("0000:00:1f.2") { $0.group = 0 }
      $0.map("dmar0", 6, 0xf000_0000, 0x1_2345_1000)
      $0.allocate(6, 0xf000_0000)
    },
    Fault(
      "interrupt entry of nobody", ["interrupts.entry-impossible error"],
      "interrupt-remapping entry 7: no device, I/O APIC or HPET has its source id 05:00.0, and 2 more"
        + " are alike"
    ) {
      $0.observations = [
        Observation(
          .interruptEntry, unit: "dmar0", structure: Structure("interrupt-remapping entry 7"),
          address: 0x120_0070, word: 0x1,
          detail: "no device, I/O APIC or HPET has its source id 05:00.0", count: 3)
      ]
    },
    Fault(
      "firmware structure that was overwritten", ["dump.firmware-table-altered warning"],
      "the kernel's copy of the DMAR table does not describe the unit any more: the firmware's"
        + " structure is all zeros"
    ) {
      $0.observations = [
        Observation(
          .malformed, unit: "dmar0", structure: Structure("DMAR unit structure"),
          detail: "the firmware's structure is all zeros")
      ]
    },
  ]
}

extension RemappingState {
  fileprivate mutating func fill(_ id: UInt32, _ count: UInt64, _ state: IOVARange.State) {
    domain("dmar0", id) { domain in
      domain.iova?.allocated += (0..<count).map { number in
        let start = 0x1000_0000 + number * 0x1000
        return IOVARange(
          start: IOVirtualAddress(start), end: IOVirtualAddress(start + 0xfff), state: state)
      }
    }
  }

  fileprivate mutating func allocate(_ id: UInt32, _ page: UInt64) {
    domain("dmar0", id) { domain in
      domain.iova?.allocated.append(
        IOVARange(
          start: IOVirtualAddress(page), end: IOVirtualAddress(page + 0xfff), state: .live))
    }
  }
}
