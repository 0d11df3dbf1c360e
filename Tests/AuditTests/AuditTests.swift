// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

import class Foundation.FileManager
import struct Foundation.URL

@testable import Audit

/// One fault planted into the healthy sample, and the findings it must give.
struct Fault: Sendable, CustomTestStringConvertible {
  var name: String
  /// Rule ids with their severity, all of them and in their order.
  var expected: [String]
  var message: String
  var plant: @Sendable (inout RemappingState) -> Void

  init(
    _ name: String, _ expected: [String], _ message: String = "",
    _ plant: @escaping @Sendable (inout RemappingState) -> Void
  ) {
    self.name = name
    self.expected = expected
    self.message = message
    self.plant = plant
  }

  var testDescription: String { name }
}

extension RemappingState {
  mutating func unit(_ name: String, _ change: (inout Unit) -> Void) {
    for index in units.indices where units[index].name == name { change(&units[index]) }
  }

  mutating func context(_ device: PCIFunction, _ change: (inout Context) -> Void) {
    for index in contexts.indices where contexts[index].device == device {
      change(&contexts[index])
    }
  }

  mutating func device(_ name: DeviceName, _ change: (inout Device) -> Void) {
    for index in devices.indices where devices[index].device == name { change(&devices[index]) }
  }

  mutating func domain(_ unit: String, _ id: UInt32, _ change: (inout Domain) -> Void) {
    for index in domains.indices where domains[index].unit == unit && domains[index].domainID == id
    {
      change(&domains[index])
    }
  }

  mutating func dropContexts(of device: PCIFunction) {
    contexts.removeAll { $0.device == device }
  }
}

struct AuditTests {
  static let stray = Context(
    unit: "dmar0", device: "0000:07:00.0", pasid: nil, translation: .passThrough, domainID: 1,
    levels: nil, table: nil, faultProcessingDisabled: false, raw: [0x9, 0x102], entry: 0x10_9000)

  static let faults = witnessFaults + Fault.ofTables + Fault.ofMachine + Fault.ofAliases

  static let witnessFaults: [Fault] = [
    // MARK: The two witnesses
    Fault(
      "translation switched off under present contexts", ["unit.translation-off error"],
      "translation is off, although 5 context entries are present: DMA goes untranslated"
    ) { $0.unit("dmar0") { $0.translationEnabled = false } },
    Fault("translation off on a unit that Linux ignores", []) {
      $0.unit("dmar0") {
        $0.translationEnabled = false
        $0.ignored = true
      }
    },
    Fault("translation unknown", []) { $0.unit("dmar0") { $0.translationEnabled = nil } },

    Fault(
      "attached device without context", ["device.context-missing error"],
      "the kernel attached the device to a domain of type dma-fq with domain-id 5, but no present"
        + " context entry exists"
    ) { $0.dropContexts(of: "0000:00:02.0") },
    Fault(
      "attached device with a context but no PASID entry", ["device.context-missing error"],
      "the kernel attached the device to a domain of type identity with domain-id 1, but no present"
        + " PASID entry for requests without PASID exists"
    ) {
      $0.context("0000:40:01.0") {
        $0.pasid = nil
        $0.translation = .none
        $0.domainID = nil
      }
    },
    Fault(
      "no context, but part of the context tables is unreadable",
      ["context.tables-unreadable warning"]
    ) {
      $0.dropContexts(of: "0000:00:14.0")
      $0.observations = [
        Observation(
          .unreadable, unit: "dmar0", structure: Structure("context table"), detail: "gone",
          count: 1)
      ]
    },
    Fault(
      "no context, and another unit's tables are unreadable",
      ["device.context-missing error", "context.tables-unreadable warning"]
    ) {
      $0.dropContexts(of: "0000:00:14.0")
      $0.observations = [
        Observation(
          .unreadable, unit: "dmar1", structure: Structure("context table"), detail: "gone",
          count: 1)
      ]
    },
    Fault("no context of a blocked device", []) {
      $0.dropContexts(of: "0000:00:14.0")
      $0.device("0000:00:14.0") { $0.domain = 0xffff_ffff_8260_1000 }
    },
    Fault("no context of a device that was never attached", []) {
      $0.dropContexts(of: "0000:00:14.0")
      $0.device("0000:00:14.0") { $0.domain = nil }
    },
    Fault("no context behind a VMD bridge", []) {
      $0.dropContexts(of: "0000:00:14.0")
      $0.device("0000:00:14.0") { $0.device = "10000:e1:00.0" }
    },
    Fault("no context on a unit without root table", ["unit.no-root-table error"]) {
      $0.dropContexts(of: "0000:00:14.0")
      $0.unit("dmar0") { $0.rootTable = nil }
    },

    Fault(
      "context of a device that the kernel does not know", ["context.unknown-device warning"],
      "a present entry with pass-through translation belongs to no device that the kernel knows, nor"
        + " to an alias of one"
    ) { $0.contexts.append(stray) },
    Fault("context of an alias nobody listed, sharing a known device's table", []) {
      $0.device("0000:00:1f.2") { $0.aliases = [] }
    },
    Fault("context that a crash kernel copied", []) {
      $0.contexts.append(stray)
      $0.unit("dmar0") { $0.copiedContexts = ["0000:07:00.0"] }
    },
    Fault(
      "context of no device, where not all devices could be found", ["kernel.malformed warning"]
    ) {
      $0.contexts.append(stray)
      $0.observations = [Observation(.malformed, structure: .kernel(.rootBuses))]
    },
    Fault("context of no device, where a bus lost its devices", ["kernel.unreadable warning"]) {
      $0.contexts.append(stray)
      $0.observations = [Observation(.unreadable, structure: Structure("devices of bus 0"))]
    },
    Fault(
      "context of no device, where only a context table is missing",
      ["context.unknown-device warning"]
    ) {
      $0.contexts.append(stray)
      $0.observations = [Observation(.unreadable, structure: Structure("context table of bus 08"))]
    },
    Fault("no context for requests without PASID", ["device.context-missing error"]) {
      $0.contexts.removeAll { $0.device == "0000:40:00.0" && $0.pasid == 0 }
    },
    Fault("unknown contexts where the kernel was not read", ["dump.kernel-unread warning"]) {
      $0.dump.typesFrom = nil
      $0.devices = []
    },

    Fault(
      "context on another unit",
      ["device.context-missing error", "context.other-unit warning"],
      "the kernel attached the device to a domain of type identity with domain-id 1, but no present"
        + " context entry exists"
    ) { $0.context("0000:00:14.0") { $0.unit = "dmar1" } },

    Fault(
      "context with another domain-id than the kernel's",
      ["context.domain-id-mismatch error", "domain.id-shared error"],
      "the hardware uses domain-id 6, the kernel assigned 5"
    ) { $0.context("0000:00:02.0") { $0.domainID = 6 } },
    Fault(
      "an alias's context with another domain-id",
      [
        "context.domain-id-mismatch error", "domain.id-shared error",
        "domain.table-under-two-ids error",
      ],
      "the hardware uses domain-id 7, the kernel assigned 6"
    ) { $0.context("0000:00:1f.7") { $0.domainID = 7 } },
    Fault("another domain-id in a copied entry", []) {
      $0.context("0000:00:02.0") { $0.domainID = 6 }
      $0.unit("dmar0") { $0.copiedContexts = ["0000:00:02.0"] }
    },

    Fault(
      "pass-through where the kernel translates", ["context.translation-mismatch error"],
      "the hardware does pass-through translation, the kernel's record is a domain of type dma-fq"
    ) { $0.context("0000:00:02.0") { $0.translation = .passThrough } },
    Fault(
      "a table where the kernel blocks", ["context.translation-mismatch error"],
      "the hardware does second-stage translation, the kernel's record is a domain of type blocked"
    ) { $0.device("0000:00:03.0") { $0.domain = 0xffff_ffff_8260_1000 } },
    Fault("an identity domain that is built of tables", []) {
      $0.context("0000:00:14.0") { $0.translation = .secondStage }
    },

    Fault(
      "domain-id that the kernel holds for free", ["context.domain-id-not-marked error"],
      "domain-id 6 is in use, and the kernel's allocator holds it for free"
    ) { $0.unit("dmar0") { $0.domainIDs.used = [0, 1, 5, 7] } },
    Fault("domain-ids unreadable", []) { $0.unit("dmar0") { $0.domainIDs.used = nil } },

    Fault(
      "domain-id without domain", ["domain.id-leaked info"],
      "domain-id 9 is marked as taken, and no domain was found that has it"
    ) { $0.unit("dmar0") { $0.domainIDs.used?.append(9) } },
    Fault("domain-ids that were there before this kernel", []) {
      $0.unit("dmar0") {
        $0.domainIDs.used?.append(9)
        $0.inherited = true
      }
    },

    Fault(
      "one kernel domain with two tables", ["domain.tables-disagree error"],
      "one kernel domain is seen as domain-id 5 with table 0x300000 of 4 levels (0000:00:02.0) and as"
        + " domain-id 5 with table 0x900000 of 3 levels (the kernel alone)"
    ) {
      $0.domains.append(
        Domain(
          unit: "dmar0", domainID: 5, type: .dmaFQ, kernelObject: 0xffff_8881_0100_0000,
          stage: .second, table: 0x90_0000, levels: 3))
    },
    Fault("one kernel domain on two units", []) {
      var copy = $0.domains[1]
      copy.unit = "dmar1"
      copy.domainID = 8
      copy.table = 0x90_0000
      $0.domains.append(copy)
    },
    Fault("several processes under domain-id 1", []) {
      var copy = $0.domains[4]
      copy.table = 0x90_0000
      $0.domains.append(copy)
    },

    // MARK: Regions and allocators
    Fault(
      "reserved region not mapped", ["region.not-mapped error"],
      "the reserved region 0xbd800000 to 0xbd801fff is not mapped"
    ) { $0.device("0000:00:02.0") { $0.reservedRegions[0].mapped = .absent } },
    Fault(
      "reserved region half mapped", ["region.not-mapped error"],
      "the reserved region 0xbd800000 to 0xbd801fff is only partly mapped"
    ) { $0.device("0000:00:02.0") { $0.reservedRegions[0].mapped = .partial } },
    Fault(
      "reserved region mapped elsewhere", ["region.not-mapped error"],
      "the reserved region 0xbd800000 to 0xbd801fff is mapped to another address or with less than"
        + " read and write"
    ) { $0.device("0000:00:02.0") { $0.reservedRegions[0].mapped = .other } },
    Fault(
      "reserved region not seen in tables that are not all there",
      ["domain.tables-assumed-empty info", "region.not-mapped warning"].reversed(),
      "the reserved region 0xbd800000 to 0xbd801fff is not mapped; some of the domain's tables could"
        + " not be read"
    ) {
      $0.device("0000:00:02.0") { $0.reservedRegions[0].mapped = .absent }
      $0.domain("dmar0", 5) { $0.walk?.assumedEmpty = 1 }
    },
    Fault("reserved region of a device that a guest has", []) {
      $0.device("0000:00:03.0") {
        $0.reservedRegions = [
          DeviceRegion(kind: .rmrr, base: 0xbd80_0000, end: 0xbd80_1fff, mapped: .absent)
        ]
      }
    },
    Fault("ISA window not mapped", []) {
      $0.device("0000:00:1f.2") { $0.reservedRegions[0].mapped = .absent }
    },

    Fault(
      "mapping in no node", ["domain.mapped-not-allocated error"],
      "domain-id 5 maps 1 range in no node of its IOVA allocator, the first is 0xfff00000 to"
        + " 0xfff00fff"
    ) {
      $0.domain("dmar0", 5) {
        $0.iova?.unallocated = [AddressRange(start: 0xfff0_0000, end: 0xfff0_0fff)]
      }
    },
    Fault("mapping in no node that is a reserved region", []) {
      $0.domain("dmar0", 5) {
        $0.iova?.unallocated = [AddressRange(start: 0xbd80_0000, end: 0xbd80_1fff)]
      }
    },
    Fault(
      "mapping in no node around a reserved region", ["domain.mapped-not-allocated error"],
      "domain-id 5 maps 2 ranges in no node of its IOVA allocator, the first is 0xbd7ff000 to"
        + " 0xbd7fffff"
    ) {
      $0.domain("dmar0", 5) {
        $0.iova?.unallocated = [AddressRange(start: 0xbd7f_f000, end: 0xbd80_2fff)]
      }
    },
    Fault("mapping in no node of a domain without DMA API", []) {
      $0.domain("dmar0", 7) {
        $0.iova = IOVASpace(
          allocated: [], unallocated: [AddressRange(start: 0, end: 0x7fff_ffff)])
      }
    },
    Fault(
      "mapping in no node, seen on two units", ["domain.mapped-not-allocated error"]
    ) {
      $0.domain("dmar0", 5) {
        $0.iova?.unallocated = [AddressRange(start: 0xfff0_0000, end: 0xfff0_0fff)]
      }
      var copy = $0.domains[1]
      copy.unit = "dmar1"
      copy.domainID = 9
      $0.domains.append(copy)
      $0.unit("dmar1") { $0.domainIDs.used?.append(9) }
    },

    Fault(
      "cached but mapped", ["domain.freed-but-mapped error"],
      "domain-id 5 still maps 1 range that was freed, the first is 0xffff0000 to 0xffff0fff (cached)"
    ) {
      $0.domain("dmar0", 5) {
        $0.mapping?.runs.append(
          Run(iova: 0xffff_0000, length: 0x1000, physical: 0, access: .read))
      }
    },
    Fault("mapped right up to freed ranges", []) {
      $0.domain("dmar0", 5) {
        $0.mapping?.runs = [
          Run(iova: 0xfffe_f000, length: 0x1000, physical: 0, access: .read),
          Run(iova: 0xffff_3000, length: 0x1000, physical: 0, access: .read),
        ]
      }
    },
    Fault(
      "one run across three freed ranges", ["domain.freed-but-mapped error"],
      "domain-id 5 still maps 3 ranges that were freed, the first is 0xffff0000 to 0xffff0fff"
        + " (cached)"
    ) {
      $0.domain("dmar0", 5) {
        $0.mapping?.runs = [
          Run(iova: 0xffff_0fff, length: 0x1002, physical: 0, access: .read)
        ]
      }
    },

    // MARK: The walk
    Fault(
      "table that contains itself", ["domain.table-cycle error"],
      "the tables of domain-id 5 contain themselves in 2 places"
    ) { $0.domain("dmar0", 5) { $0.walk?.cycles = 2 } },
    Fault(
      "table with two parents", ["domain.table-alias warning"],
      "1 table of domain-id 5 can be reached over more than one path"
    ) { $0.domain("dmar0", 5) { $0.walk?.aliases = 1 } },
    Fault(
      "reserved bits", ["domain.reserved-bits error"],
      "3 present entries have reserved bits set in the tables of domain-id 5"
    ) { $0.domain("dmar0", 5) { $0.walk?.reservedBits = 3 } },
    Fault(
      "unreadable table", ["domain.tables-unreadable warning"],
      "1 table of domain-id 5 could not be read; that part of the address space is unknown, not empty"
    ) {
      $0.domain("dmar0", 5) { $0.walk?.unreadable = 1 }
      $0.observations = [
        Observation(
          .unreadable, unit: "dmar0", domainID: 5,
          structure: Structure("second-stage table, level 1, IOVA 0x0"),
          address: 0x30_5000, word: 0x30_5003, cause: .excluded)
      ]
    },
    Fault(
      "table in a hole of an ELF dump", ["domain.tables-assumed-empty info"],
      "1 table of domain-id 5 had no bytes in the dump and passed for empty"
    ) { $0.domain("dmar0", 5) { $0.walk?.assumedEmpty = 1 } },
    Fault(
      "walk cut", ["domain.walk-cut warning"],
      "the walk of domain-id 5 was cut after 5 tables; what lies behind is unknown"
    ) { $0.domain("dmar0", 5) { $0.walk?.budgetExhausted = true } },

    // MARK: Interrupts and invalidation
    Fault(
      "interrupt entries present but free", ["interrupts.entry-not-allocated warning"],
      "2 interrupt-remapping entries are present, and the kernel holds them for free; the first is 7"
    ) { $0.unit("dmar0") { $0.interruptRemapping?.presentButFree = [7, 9] } },
    Fault(
      "invalidations under way", ["queue.pending info"],
      "2 invalidations were submitted and not known to be done (slots 38 to before 40)"
    ) { $0.unit("dmar0") { $0.invalidationQueue?.pending = 2 } },

    // MARK: Live updates
    Fault(
      "handed-over unit that this kernel lacks", ["handover.disagrees error"],
      "a live update hands over a unit at 0xdead000, and this kernel has none there"
    ) {
      $0.handovers = [
        Handover(
          stage: .incoming, address: 0x9000,
          units: [
            .init(
              address: 0xa010, unit: nil, registerBase: 0xdead000, rootTable: 0x1000,
              contextTables: [], presentTables: nil)
          ])
      ]
    },

    // MARK: The dump
    Fault(
      "filter that removed kernel structures", ["dump.filtered-out warning"],
      "the dump's filter removed state: struct ir_table (2), interrupt-remapping table; dump again"
        + " with a makedumpfile that knows this kernel, or with a lower dump level"
    ) {
      $0.observations = [
        Observation(
          .unreadable, structure: Structure("struct ir_table"),
          cause: .excluded, detail: "gone", count: 2),
        Observation(
          .unreadable, structure: Structure("interrupt-remapping table"),
          cause: .excluded, detail: "gone"),
      ]
    },
    Fault(
      "file that was cut off", ["dump.truncated warning"],
      "the dump's file ends too early: struct iova (5) could not be read"
    ) {
      $0.observations = [
        Observation(
          .unreadable, structure: Structure("struct iova"),
          cause: .truncated, detail: "gone", count: 5)
      ]
    },
    Fault(
      "file that was damaged", ["dump.corrupt warning"],
      "the dump's file is damaged: struct iova could not be decoded"
    ) {
      $0.observations = [
        Observation(
          .unreadable, structure: Structure("struct iova"),
          cause: .corrupt, detail: "gone")
      ]
    },
    Fault(
      "dump that ran out of space", ["dump.incomplete warning"],
      "the dump is not whole: the file is cut off"
    ) {
      $0.observations = [
        Observation(.unreadable, structure: Structure("dump"), detail: "the file is cut off")
      ]
    },
    Fault(
      "structure outside of memory", ["kernel.unreadable warning"],
      "kernel structures could not be read: struct iova, gcmd, agaw, flags, 1 more"
    ) { state in
      let lost: [KernelStructure] = [.allocation, .globalCommand, .addressWidth, .flags, .group]
      state.observations = lost.map {
        Observation(.unreadable, structure: .kernel($0), cause: .notInDump)
      }
    },
    Fault(
      "structures whose names speak of tables", ["kernel.unreadable warning"],
      "kernel structures could not be read: copied_tables, struct ir_table, interrupt-remapping"
        + " table, domain page table, 3 more"
    ) { state in
      let lost: [KernelStructure] = [
        .copiedTables, .interruptRemapping, .interruptTable, .pageTable, .processTable,
        .domainTable, .tableMode,
      ]
      state.observations = lost.map {
        Observation(.unreadable, unit: "dmar0", structure: .kernel($0), cause: .unmapped)
      }
    },
    Fault(
      "tables of contexts outside of memory", ["context.tables-unreadable warning"],
      "2 tables on the way to contexts could not be read: context table of bus 08, PASID directory"
        + " of bus 40; whether devices there have contexts is unknown"
    ) { state in
      state.observations = [
        Observation(
          .unreadable, unit: "dmar0", structure: .table(.contextTable, bus: 8), cause: .notInDump),
        Observation(
          .unreadable, unit: "dmar0", structure: .table(.pasidDirectory, bus: 0x40),
          cause: .unsupported),
      ]
    },
    Fault(
      "list that does not close", ["kernel.malformed warning"],
      "kernel structures contradict themselves: dmar_drhd_units list"
    ) { $0.observations = [Observation(.malformed, structure: .kernel(.unitList))] },
    Fault(
      "kernel not read", ["dump.kernel-unread warning"],
      "the kernel's structures could not be read, so nothing is known of devices, domains and"
        + " allocators; give the kernel's --vmlinux or --symbols"
    ) {
      $0.dump.typesFrom = nil
      $0.devices = []
      $0.domains = []
    },
  ]

  @Test(arguments: faults) func findsThePlantedFault(_ fault: Fault) throws {
    var state = RemappingState.sample
    fault.plant(&state)
    let findings = Audit.findings(of: state)
    #expect(findings.map { "\($0.rule) \($0.severity)" } == fault.expected)
    if !fault.message.isEmpty { #expect(findings.first?.message == fault.message) }
    #expect(Audit.errors(of: state) == findings.filter { $0.severity == .error })
  }

  @Test func aHealthyStateGivesNoFinding() {
    #expect(Audit.findings(of: .sample) == [])
  }

  @Test func aStateOfNothingGivesNoFalseAlarm() {
    let empty = RemappingState(dump: DumpSummary(file: "x", format: "elf", typesFrom: "btf"))
    #expect(Audit.findings(of: empty) == [])
  }

  @Test func anyStateIsJudged() {
    #expect(!Audit.findings(of: .hostile).isEmpty)
  }

  @Test func evidenceNamesTheBytes() throws {
    var state = RemappingState.sample
    state.context("0000:00:02.0") { $0.domainID = 6 }
    let finding = try #require(Audit.findings(of: state).first)
    #expect(finding.unit == "dmar0")
    #expect(finding.device == "0000:00:02.0")
    #expect(
      finding.evidence == [
        Evidence(what: "context entry", address: 0x10_3100, words: [0x30_0001, 0x502]),
        Evidence(what: "device_domain_info", address: 0xffff_8881_0010_0000),
      ])
  }

  // MARK: The catalogue

  @Test func everyRuleHasAnIDOfItsOwn() {
    let ids = Audit.rules.map { $0.id }
    #expect(Set(ids).count == ids.count)
    for id in ids { #expect(id.wholeMatch(of: /[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*/) != nil) }
  }

  @Test func everyRuleHasAPlantedFault() {
    let found = Set(Self.faults.flatMap(\.expected).compactMap { $0.split(separator: " ").first })
      .union(RegisterFaults.cases.map { $0.rule[...] })
    for rule in Audit.rules { #expect(found.contains(rule.id[...]), "\(rule.id)") }
  }

  @Test func theRegistryIsTheFolder() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/Audit/Rules")
    let files = try FileManager.default.contentsOfDirectory(
      atPath: folder.path(percentEncoded: false))
    let names = Set(Audit.rules.map { "\($0).swift" })
    #expect(Set(files) == names)
  }
}
