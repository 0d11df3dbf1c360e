// SPDX-License-Identifier: Apache-2.0

import Audit
import Memory
import RemappingState
import StateFixtures
import Testing

/// Registers that were read beside a dump are held against what the kernel believed.
struct RegisterFaults {
  /// A unit that is on, and registers that agree with it.
  private static func state() -> RemappingState {
    var state = RemappingState(dump: DumpSummary(file: "x", format: "elf"))
    state.units = [
      Unit(
        name: "dmar0", segment: 0, registerBase: 0xfed9_0000, capability: 0x2,
        extendedCapability: 0, tableMode: .legacy, translationEnabled: true,
        interruptRemappingEnabled: true, rootTable: 0x1000, rootFrom: .kernel,
        domainIDs: DomainIDs(supported: 256, used: [0]),
        kernelObject: KernelAddress(0xffff_8880_0000_0000), globalCommand: 0x8600_0000,
        interruptRemapping: InterruptRemapping(table: 0x10_0000, entries: 65536),
        invalidationQueue: InvalidationQueue(
          base: 0x5000, entries: 256, descriptorSize: 16, freeHead: 4, freeTail: 4, pending: 0))
    ]
    state.memoryMap = [
      MemoryRegion(kind: .memory, start: 0, end: 0xfff_ffff),
      MemoryRegion(kind: .crashKernel, start: 0x800_0000, end: 0x8ff_ffff),
    ]
    state.registers = [
      UnitRegisters(
        unit: "dmar0", registerBase: 0xfed9_0000, rootTable: 0x1000, tableMode: .legacy,
        globalStatus: 0xc700_0000, faultStatus: 0, interruptTable: 0x10_0000,
        interruptEntries: 65536,
        queue: UnitRegisters.Queue(
          base: 0x5000, entries: 256, descriptorSize: 16, head: 4, tail: 4),
        words: [UnitRegisters.Word(offset: 0x20, value: 0x1000)])
    ]
    return state
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var rule: String
    var severity: Finding.Severity
    var words: String
    var change: @Sendable (inout UnitRegisters) -> Void
    var testDescription: String { words }

    init(
      _ rule: String, _ severity: Finding.Severity, _ words: String,
      _ change: @escaping @Sendable (inout UnitRegisters) -> Void
    ) {
      self.rule = rule
      self.severity = severity
      self.words = words
      self.change = change
    }
  }

  static let cases = [
    Case("registers.unanswered", .error, "does not answer") {
      $0.words = [UnitRegisters.Word(offset: 8, value: HexWord(.max))]
    },
    Case("registers.of-crash-kernel", .info, "(root table 0x8001000)") {
      $0.rootTable = 0x800_1000
    },
    Case("registers.root-table", .error, "root table 0x2000 in legacy mode") {
      $0.rootTable = 0x2000
    },
    Case("registers.root-table", .error, "0x1000 in scalable mode, and the kernel believes") {
      $0.tableMode = .scalable
    },
    Case("registers.root-table", .error, "blocks all requests") { $0.tableMode = nil },
    Case("registers.status", .error, "translation is off in the unit") {
      $0.globalStatus = 0x4700_0000
    },
    Case("registers.status", .error, "interrupt remapping is off in the unit") {
      $0.globalStatus = 0xc500_0000
    },
    Case("registers.interrupt-table", .error, "at 0x200000, and the kernel") {
      $0.interruptTable = 0x20_0000
    },
    Case("registers.interrupt-table", .error, "table of 256 entries") { $0.interruptEntries = 256 },
    Case("registers.queue", .error, "from a queue at 0x6000") { $0.queue?.base = 0x6000 },
    Case("registers.queue", .error, "descriptors of 32 bytes") { $0.queue?.descriptorSize = 32 },
    Case("registers.queue-stopped", .info, "not fetched 3 descriptors") { $0.queue?.tail = 7 },
    Case("registers.queue-stopped", .info, "not fetched 255 descriptors") { $0.queue?.tail = 3 },
    Case("registers.queue-stopped", .error, "(IQE)") { $0.faultStatus = 0x10 },
    Case("registers.queue-stopped", .error, "(ITE)") { $0.faultStatus = 0x40 },
    Case("registers.faults", .warning, "faults were lost") { $0.faultStatus = 1 },
    Case("registers.faults", .error, "a read of 0x7000, reason 0x6") {
      $0.faultRecords = [
        UnitRegisters.FaultRecord(
          device: PCIFunction(bus: 3, devfn: 0), reason: 6, address: 0x7000, isWrite: false)
      ]
    },
    Case("registers.faults", .error, "an interrupt request (index 0x1f)") {
      $0.faultRecords = [
        UnitRegisters.FaultRecord(
          device: PCIFunction(bus: 3, devfn: 0), reason: 0x22, address: 0x001f_0000_0000_0000,
          isWrite: true)
      ]
    },
  ]

  private func findings(_ state: RemappingState) -> [Finding] {
    Audit.findings(of: state).filter { $0.rule.hasPrefix("registers.") }
  }

  @Test func `registers that agree are no finding, and without any nothing is said`() {
    #expect(findings(Self.state()) == [])
    var none = Self.state()
    none.registers = nil
    #expect(findings(none) == [])
    #expect(!Audit.unjudged(on: none).contains { $0.rule.hasPrefix("registers.") })
  }

  @Test(arguments: cases)
  func `each disagreement is a finding of its own`(_ row: Case) {
    var state = Self.state()
    if var registers = state.registers?.first {
      row.change(&registers)
      state.registers = [registers]
    }
    let found = findings(state)
    #expect(found.map(\.rule) == [row.rule])
    #expect(found.map(\.severity) == [row.severity])
    #expect(found.first?.message.contains(row.words) == true, "\(found.map(\.message))")
  }

  @Test func `what is on without the kernel's knowledge is a warning`() {
    var state = Self.state()
    state.units[0].globalCommand = 0x0600_0000
    #expect(findings(state).map(\.severity) == [.warning])
    #expect(findings(state).map(\.rule) == ["registers.status"])
  }

  /// The unit is known from the registers alone.
  @Test func `a root that was taken from the registers does not contradict them`() {
    var state = Self.state()
    state.units[0].rootTable = 0x2000
    state.units[0].rootFrom = .given
    #expect(findings(state) == [])
  }
}
