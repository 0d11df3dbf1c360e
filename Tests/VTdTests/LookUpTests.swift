// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing

@testable import VTd

struct LookUpTests {
  static let scalable = SyntheticMemory([
    0x1000: 0x2001, 0x1008: 0x9001,
    0x2200: 0x3009, 0x3000: 0x4001, 0x4000: 0x5089, 0x4008: 0x2, 0x4040: 0x5109, 0x4048: 0x3,
    0x9000: 0x3001,
  ])

  private func tables(_ mode: TableMode = .scalable) -> TranslationTables {
    TranslationTables(
      memory: Self.scalable, rootTable: PhysicalAddress(0x1000), mode: mode,
      capabilities: .permissive)
  }

  @Test func `a look-up comes to the entries that a reading lists`() {
    for path in tables().read().paths {
      let trace = tables().lookUp(bus: path.bus, devfn: path.devfn, pasid: nil)
      #expect(trace.path?.devfn == path.devfn)
      if path.servesRequestsWithoutPASID { #expect(trace.path == path) }
    }
    let second = tables().lookUp(bus: 0, devfn: 0x10, pasid: 1)
    #expect(second.path == tables().read().paths.first { $0.devfn == 0x10 && $0.pasid == 1 })
    #expect(
      second.steps.map(\.structure) == [
        .rootEntry, .contextEntry, .pasidDirectoryEntry, .pasidEntry,
      ])
    #expect(second.steps.map(\.entry.rawValue) == [0x1000, 0x2200, 0x3000, 0x4040])
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bus: UInt8
    var devfn: UInt8
    var pasid: UInt32?
    var ending: ContextEnding
    var fault: UInt8
  }

  @Test(arguments: [
    Case(
      testDescription: "no root entry", bus: 1, devfn: 0, ending: .notPresent(.rootEntry),
      fault: 0x39),
    Case(
      testDescription: "no context", bus: 0, devfn: 0x20, ending: .notPresent(.contextEntry),
      fault: 0x41),
    Case(
      testDescription: "no PASID entry", bus: 0, devfn: 0x10, pasid: 5,
      ending: .notPresent(.pasidEntry), fault: 0x59),
    Case(
      testDescription: "no directory entry", bus: 0, devfn: 0x10, pasid: 64,
      ending: .notPresent(.pasidDirectoryEntry), fault: 0x51),
    Case(
      testDescription: "beyond the directory", bus: 0, devfn: 0x10, pasid: 8192,
      ending: .beyondDirectory(pasids: 8192), fault: 0x46),
    Case(
      testDescription: "PASIDs are off", bus: 0, devfn: 0x80, pasid: 0, ending: .pasidsOff,
      fault: 0x45),
  ])
  func `a look-up ends where the way ends`(_ request: Case) {
    let trace = tables().lookUp(bus: request.bus, devfn: request.devfn, pasid: request.pasid)
    #expect(trace.ending == request.ending)
    #expect(trace.ending.faultReason(isScalable: true) == FaultReason(request.fault))
  }

  @Test func `a missing table is an ending without a fault`() {
    let tables = TranslationTables(
      memory: SyntheticMemory([0x1000: 0x7001]), rootTable: PhysicalAddress(0x1000), mode: .legacy,
      capabilities: .permissive)
    let trace = tables.lookUp(bus: 0, devfn: 0)
    guard case .unreadable(.contextTable, _) = trace.ending else {
      Issue.record("\(trace.ending)")
      return
    }
    #expect(trace.ending.faultReason(isScalable: false) == nil)
  }
}
