// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

@testable import StateDiff

/// What a difference means, in words.
struct StatementTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var topic: Statement.Topic
    /// The sentence; `nil` where there must be none.
    var text: String?
    var change: @Sendable (inout RemappingState) -> Void

    init(
      _ name: String, _ topic: Statement.Topic, _ text: String?,
      _ change: @escaping @Sendable (inout RemappingState) -> Void
    ) {
      testDescription = name
      self.topic = topic
      self.text = text
      self.change = change
    }
  }

  /// The sample with one policy for all, so that a change of it is one sentence.
  private static var lazy: RemappingState {
    var state = RemappingState.sample
    for index in state.devices.indices { state.devices[index].defaultDomainType = .dmaFQ }
    return state
  }

  static let cases = [
    Case("policy", .policy, "lazy became strict") {
      for index in $0.devices.indices { $0.devices[index].defaultDomainType = .dma }
    },
    Case(
      "address space", .addressSpace,
      "address space 256 TiB (4 levels) became address space 512 GiB (3 levels)"
    ) { $0.units[0].levels = 3 },
    Case(
      "translation", .translation,
      "translation on and interrupt remapping on became translation on for 1 of 2 units and"
        + " interrupt remapping on"
    ) { $0.units[0].translationEnabled = false },
    Case(
      "command line", .commandLine,
      "the command line now has iommu.strict=1 and no longer has intel_iommu=on"
    ) { $0.startUp?.commandLine = ["iommu.strict=1"] },
    Case("unknown command line", .commandLine, nil) { $0.startUp?.commandLine = nil },
    Case("lost device", .devices, "lost: 0000:00:03.0 (vfio-pci)") {
      $0.devices.removeAll { $0.device == "0000:00:03.0" }
    },
    Case("kernel that was not read", .devices, nil) { $0.devices = [] },
    Case(
      "driver", .drivers, "drivers: 0000:00:03.0 vfio-pci became no driver"
    ) { state in
      for index in state.devices.indices where state.devices[index].device == "0000:00:03.0" {
        state.devices[index].driver = nil
      }
    },
    Case(
      "region", .reservedRegions,
      "reserved regions differ, or how they are mapped: rmrr 0xbd800000 to 0xbd801fff"
    ) { $0.reservedRegions[1].mapped = .absent },
    Case(
      "faults", .faults, "no fault in the log became 3 refused requests in the log"
    ) { $0.faults = FaultSummary(devices: [.init(device: "0000:00:02.0", reads: 3)]) },
    Case("log that cannot be read", .faults, nil) { $0.faults = FaultSummary(problem: "gone") },
  ]

  @Test(arguments: cases)
  func saysWhatChanged(_ test: Case) {
    var state = Self.lazy
    test.change(&state)
    let statements = Statement.statements(from: Self.lazy, to: state)
      .filter { $0.topic == test.topic && ($0.isChange || test.text == nil) }
    #expect(statements.map(\.text) == test.text.map { [$0] } ?? [])
  }

  @Test func saysWhatStayed() {
    let statements = Statement.statements(from: Self.lazy, to: Self.lazy)
    #expect(statements.allSatisfy { !$0.isChange })
    #expect(statements.contains { $0.text == "reserved regions unchanged" })
    #expect(statements.contains { $0.text == "no device lost" })
  }
}
