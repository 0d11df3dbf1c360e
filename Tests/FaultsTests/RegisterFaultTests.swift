// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import Testing
import VTd

@testable import Faults

/// Faults and errors that were still in a unit, explained like those of a log.
struct RegisterFaultTests {
  private static let device = PCIFunction(bus: 3, devfn: 0x10)

  private func log(_ change: (inout UnitRegisters) -> Void) -> FaultLog {
    var registers = UnitRegisters(
      unit: "dmar0", faultStatus: 0,
      words: [UnitRegisters.Word(offset: 0x20, value: 0x1000)])
    change(&registers)
    var log = FaultLog()
    log.add(registers)
    return log
  }

  @Test func `a unit with nothing to report adds nothing`() {
    #expect(log { _ in }.isEmpty)
  }

  @Test func `fault records become faults`() {
    let log = log {
      $0.faultRecords = [
        .init(device: Self.device, reason: 6, address: 0x1234_5000, isWrite: false),
        .init(device: Self.device, reason: 5, address: 0x7000, isWrite: true, pasid: 4),
        .init(device: Self.device, reason: 0x22, address: 0x001f_0000_0000_0000, isWrite: true),
      ]
    }
    #expect(log.records.map(\.fault.kind) == [.read, .write, .interrupt])
    #expect(log.records.map(\.fault.value) == [0x1234_5000, 0x7000, 0x1f])
    #expect(log.records.map(\.fault.pasid) == [nil, 4, nil])
    #expect(log.records.map(\.fault.reason?.rawValue) == [6, 5, 0x22])
    #expect(log.records.allSatisfy { $0.text.contains("dmar0") })
    let explained = FaultExplainer(FaultCauseTests.evidence()).explain(log.records)
    #expect(explained.count == 3)
  }

  @Test func `errors of the queue come with what the unit says of them`() {
    let log = log {
      $0.faultStatus = 0x41
      // ITESID 00:02.0 in bits 47:32.
      $0.queueError = 0x0000_0010_0000_0000
    }
    #expect(
      log.units.map(\.message) == [.status(0x41), .invalidationError(.timeOut, detail: 0x10)])
    let explainer = UnitExplainer(FaultCauseTests.evidence())
    let explained = log.units.map { explainer.explain($0) }
    #expect(explained.map(\.severity) == [.error, .error])
    #expect(explained.map(\.unit) == ["dmar0", "dmar0"])
    #expect(explained.last?.device == PCIFunction(bus: 0, devfn: 0x10))
  }

  @Test func `a unit that does not answer is said to be one`() {
    let log = log { $0.words = [UnitRegisters.Word(offset: 0x08, value: HexWord(.max))] }
    let explained = log.units.map { UnitExplainer(FaultCauseTests.evidence()).explain($0) }
    #expect(explained.map(\.kind) == [.unreachable])
  }
}
