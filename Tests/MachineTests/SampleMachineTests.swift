// SPDX-License-Identifier: Apache-2.0

import Audit
import DumpFixtures
import Foundation
import Inheritance
import KernelFixtures
import MachineFixtures
import Memory
import RemappingState
import Testing

/// `samples/synthetic-machine.vmcore` is what the builder makes; `RECORD_SAMPLE=1` writes it anew.
struct SampleMachineTests {
  private static var machine: BuiltMachine {
    BuiltMachine(.sample) { _ = $0.kernel.defineLiveUpdate(.versioned) }
  }

  private static let file = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../samples/synthetic-machine.vmcore").standardized

  /// Compared as it is read: another zlib may pack the same pages differently.
  @Test func theSampleIsUpToDate() throws {
    if ProcessInfo.processInfo.environment["RECORD_SAMPLE"] != nil {
      try Data(Self.machine.kdump()).write(to: Self.file)
    }
    let kept = try MachineRun(Self.machine, [UInt8](try Data(contentsOf: Self.file)))
    var state = try MachineRun(Self.machine, Self.machine.kdump()).state
    state.dump = kept.state.dump
    #expect(
      kept.state == state,
      "stale; run: RECORD_SAMPLE=1 swift test --filter SampleMachineTests, then record the goldens")
  }

  @Test func nothingIsFoundInIt() throws {
    let run = try MachineRun(Self.machine, Self.machine.kdump())
    #expect(Audit.findings(of: run.state).map { "\($0.rule): \($0.message)" } == [])
    #expect(run.state.contexts.count == Self.machine.truth.contexts.count)
    #expect(run.facts.knownRoads == [.liveUpdate])
  }

  /// What one rule alone asks for is all that is left out for who does not ask the rule.
  @Test func sharedPagesAreLookedForOnDemand() throws {
    var asked = try MachineRun(Self.machine).state
    let unasked = try MachineRun(Self.machine, findsSharedPages: false).state
    #expect(asked.sharedPages != nil)
    asked.sharedPages = nil
    asked.dump = unasked.dump
    #expect(asked == unasked)
  }
}
