// SPDX-License-Identifier: Apache-2.0

import Audit
import Memory
import RemappingState
import StateFixtures
import Testing

/// Each way in which a handed-over state can differ from the tables is a finding of its own.
struct HandoverFaults {
  private static let id = "handover.disagrees"

  /// A unit with one preserved device, all of it in agreement.
  private static func state() -> RemappingState {
    var state = RemappingState(dump: DumpSummary(file: "x", format: "elf"))
    state.units = [
      Unit(
        name: "dmar0", segment: 0, registerBase: 0xfed9_0000, capability: 0x2,
        extendedCapability: 0, tableMode: .legacy, translationEnabled: true, rootTable: 0x1000,
        domainIDs: DomainIDs(supported: 256, used: [0, 5]))
    ]
    state.contexts = [
      Context(
        unit: "dmar0", device: "0000:03:00.0", pasid: nil, translation: .secondStage, domainID: 5,
        levels: 4, table: 0x7000, faultProcessingDisabled: false, raw: [0x7001, 0x502],
        entry: 0x2000)
    ]
    state.handovers = [
      Handover(
        stage: .incoming, compatible: "iommu-liveupdate-v1", address: 0x9000,
        units: [
          .init(
            address: 0xa010, unit: "dmar0", registerBase: 0xfed9_0000, rootTable: 0x1000,
            contextTables: [6], presentTables: [6])
        ],
        domains: [
          .init(
            address: 0xb010, table: 0x7000, levels: 4, addressSize: 48, signExtended: false)
        ],
        devices: [
          .init(
            address: 0xc010, device: "0000:03:00.0", domainID: 5, domain: 0xb010, unit: 0xa010,
            pasidTable: nil, pasidBound: nil)
        ])
    ]
    return state
  }

  private func findings(_ state: RemappingState) -> [Finding] {
    Audit.findings(of: state).filter { $0.rule == Self.id }
  }

  @Test func agreementIsNoFinding() {
    #expect(findings(Self.state()) == [])
  }

  struct Difference: CustomTestStringConvertible, Sendable {
    var severity: Finding.Severity
    var words: String
    var change: @Sendable (inout RemappingState) -> Void

    init(
      _ severity: Finding.Severity, _ words: String,
      _ change: @escaping @Sendable (inout RemappingState) -> Void
    ) {
      self.severity = severity
      self.words = words
      self.change = change
    }

    var testDescription: String { words }
  }

  static let differences = [
    Difference(.error, "root table 0x2000") { $0.handovers[0].units[0].rootTable = 0x2000 },
    Difference(.error, "this kernel has none there") { $0.handovers[0].units[0].unit = nil },
    Difference(.error, "upper context table of bus 1f, which the root table does not have") {
      $0.handovers[0].units[0].contextTables = [6, 63]
    },
    Difference(.warning, "lower context table of bus 4 is in force and not handed over") {
      $0.handovers[0].units[0].presentTables = [6, 8]
    },
    Difference(.warning, "zeroed when this kernel ends") {
      $0.handovers[0].stage = .outgoing
      $0.handovers[0].units[0].presentTables = [6, 8]
    },
    Difference(.error, "names a unit at 0xdead0") { $0.handovers[0].devices[0].unit = 0xdead0 },
    Difference(.error, "names a domain at 0xdead0") {
      $0.handovers[0].devices[0].domain = 0xdead0
    },
    Difference(.error, "allocator holds for free") { $0.units[0].domainIDs.used = [0] },
    Difference(.error, "no context translates") { $0.contexts = [] },
    Difference(.error, "domain-id 5, and the device's context has 6") {
      $0.contexts[0].domainID = 6
    },
    Difference(.error, "table 0x7000, and the device's context has 0x8000") {
      $0.contexts[0].table = 0x8000
    },
    Difference(.error, "table of 4 levels, and the device's context walks 5") {
      $0.contexts[0].levels = 5
    },
  ]

  @Test(arguments: differences) func eachDifferenceIsAFinding(_ row: Difference) {
    let (severity, words, change) = (row.severity, row.words, row.change)
    var state = Self.state()
    change(&state)
    let found = findings(state).filter { $0.message.contains(words) }
    #expect(found.map(\.severity) == [severity], "\(findings(state).map(\.message))")
    #expect(found.first?.evidence.first?.address != nil)
  }

  /// Ids that are to go out are the old kernel's business.
  @Test func anOutgoingIDNeedNotBeTakenYet() {
    var state = Self.state()
    state.handovers[0].stage = .outgoing
    state.units[0].domainIDs.used = [0]
    #expect(findings(state) == [])
  }
}
