// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import Report
import Testing

@testable import Commands

struct InvestigationUsageTests {
  @Test(arguments: [
    ["translate", "d", "0x1000"],
    ["translate", "d", "--device", "00:02.0"],
    ["translate", "d", "--device", "zz:02.0", "0x1000"],
    ["translate", "d", "--device", "00:02.0", "+1000"],
    ["translate", "d", "--device", "00:02.0", "--pasid", "1048576", "0x1000"],
    ["translate", "d", "--device", "00:02.0", "--root", "0x1234", "0x1000"],
    ["translate", "d", "--device", "00:02.0", "--root", "0x1000,nested", "0x1000"],
    ["owners", "d"], ["owners", "d", "0x2000-0x1000"], ["owners", "d", "0-0x100000000"],
    ["tables", "d", "--pasid", "1"], ["tables", "d", "--file", "invalidation_queue"],
    ["tables", "d", "--format", "html"], ["carve", "d", "--threshold", "101"],
    ["faults", "d", "--line", "nothing"], ["faults", "d", "--root", "0x1000"],
    ["history", "d", "--limit", "-1"],
  ])
  func `wrong usage is told apart from failure`(_ line: [String]) {
    let sink = MemorySink()
    let status = Iommuscope.run(
      line,
      in: Environment(
        standardOutput: sink, standardError: sink,
        evidence: PreparedEvidence(state: nil)))
    #expect(status == .usage, "\(sink.text)")
  }

  @Test func `a root is an address with its mode, or a value of the register`() throws {
    #expect(try RootArgument("0x26c3000").mode == .legacy)
    #expect(try RootArgument("26c3400").mode == .scalable)
    #expect(try RootArgument("0x26c3000,scalable").mode == .scalable)
    #expect(try RootArgument("0x26c3400").address.rawValue == 0x26c_3000)
  }
}
