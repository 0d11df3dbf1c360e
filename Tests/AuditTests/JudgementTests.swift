// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

@testable import Audit

/// Rules that cannot be judged say so, and only those.
struct JudgementTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Some rules that must be among those that are not judged.
    var rules: Set<String>
    var reason: String
    var take: @Sendable (inout RemappingState) -> Void

    init(
      _ name: String, _ rules: Set<String>, _ reason: String,
      _ take: @escaping @Sendable (inout RemappingState) -> Void
    ) {
      testDescription = name
      self.rules = rules
      self.reason = reason
      self.take = take
    }
  }

  @Test func everyRuleIsJudgedOnAHealthyState() {
    #expect(Audit.unjudged(on: .sample) == [])
  }

  @Test func rulesAboutWhatIsMissingNeedNothing() {
    for id in ["dump.incomplete", "dump.truncated", "dump.corrupt", "dump.filtered-out"] {
      let rule = Audit.rules.first { $0.id == id }
      #expect(rule?.needs.isEmpty == true, "\(id)")
    }
  }

  static let cases = [
    Case(
      "no log", ["log.faults", "log.unit-errors"], "the kernel's log was not read"
    ) { $0.faults = nil },
    Case(
      "a log that cannot be read", ["log.faults", "log.unit-errors"],
      "the kernel's log could not be read: physical page 0x1000 is not part of this extract"
    ) {
      $0.faults = FaultSummary(problem: "physical page 0x1000 is not part of this extract")
    },
    Case(
      "no map of memory",
      [
        "domain.maps-kernel-text", "domain.maps-crash-kernel", "region.overlaps-memory",
        "region.outside-firmware",
      ], "the kernel's map of memory (iomem_resource) could not be read"
    ) { $0.memoryMap = [] },
    Case(
      "a map without the kernel", ["domain.maps-kernel-text"],
      "the map of memory does not say where the kernel's code is"
    ) { $0.memoryMap.removeAll { $0.kind == .kernelText } },
    Case(
      "an unread table", ["domain.maps-tables", "domain.table-cycle"],
      "not all tables of domain-id 5 could be read"
    ) { $0.domain("dmar0", 5) { $0.walk?.unreadable = 1 } },
    Case(
      "domain-ids that could not be read", ["context.domain-id-not-marked"],
      "which domain-ids of dmar1 are taken could not be read"
    ) { $0.unit("dmar1") { $0.domainIDs.used = nil } },
    Case(
      "a context table that could not be read", ["device.context-missing"],
      "not all context tables of dmar0 could be read"
    ) {
      $0.observations = [
        Observation(.unreadable, unit: "dmar0", structure: .table(.contextTable, bus: 3))
      ]
    },
    Case(
      "a window of a host bridge that could not be read", ["iova.allocated-not-mapped"],
      "not all ranges that are kept out of the IOVA allocators could be read"
    ) {
      $0.observations = [Observation(.unreadable, structure: .kernel(.hostBridgeWindows))]
    },
    Case(
      "a reserved memory region that could not be read",
      ["domain.maps-no-memory", "domain.maps-kernel-text", "domain.maps-crash-kernel"],
      "not all reserved memory regions and their devices could be read: what is mapped onto itself may be "
        + "one of them"
    ) {
      $0.observations = [Observation(.unreadable, structure: .kernel(.reservedRegion))]
    },
    Case(
      "devices that could not be read", ["context.unknown-device", "domain.references"],
      "not all devices of the kernel could be read"
    ) {
      $0.observations = [Observation(.unreadable, structure: .kernel(.devicesOfBus, number: "3"))]
    },
    Case(
      "attachments that could not be read", ["domain.references", "domain.id-leaked"],
      "not every device's attachment to its domain could be read"
    ) { $0.observations = [Observation(.unreadable, structure: .kernel(.deviceInfo))] },
  ]

  @Test(arguments: cases)
  func saysWhatIsMissing(_ test: Case) {
    var state = RemappingState.sample
    test.take(&state)
    let open = Audit.unjudged(on: state).filter { $0.reason == test.reason }
    #expect(!open.isEmpty)
    #expect(open.count < Audit.rules.count / 2)
    let known = Set(Audit.rules.map { $0.id })
    for rule in test.rules {
      #expect(known.contains(rule) && open.contains { $0.rule == rule }, "\(rule)")
    }
  }

  @Test func withoutTheKernelOnlyTheHardwaresHalfIsJudged() {
    var state = RemappingState.sample
    state.dump.typesFrom = nil
    let open = Audit.unjudged(on: state)
    #expect(open.contains { $0.rule == "device.context-missing" })
    #expect(!open.contains { $0.rule == "context.reserved-bits" })
    #expect(Set(open.map(\.reason)) == ["the kernel's structures could not be read"])
  }
}
