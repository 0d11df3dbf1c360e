// SPDX-License-Identifier: Apache-2.0

import Evidence
import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import Testing

@testable import Owners

struct DeviceViewTests {
  private func view(_ name: DeviceName, _ state: RemappingState = .sample) throws -> DeviceView {
    try #require(
      DeviceView(of: name, in: DumpEvidence(state: state, memory: SyntheticMemory([:]))))
  }

  private func reach(
    _ view: DeviceView, _ subject: DeviceView.Reach.Subject
  ) throws -> DeviceView.Reach {
    try #require(view.reach.first { $0.what == subject })
  }

  private func run(
    _ iova: UInt64, _ length: UInt64, _ physical: UInt64, _ access: Access = .readWrite
  ) -> Run {
    Run(
      iova: IOVirtualAddress(iova), length: HexWord(length), physical: PhysicalAddress(physical),
      access: access)
  }

  /// A guest's 4 MiB in single pages, one page more, and two of these pages read-only far away.
  private var guest: RemappingState {
    var state = RemappingState.sample
    let pages = (0..<1025 as Range<UInt64>).map {
      run(0x1000_0000 + $0 << 12, 0x1000, 0x5000_0000 + ($0 * 2) << 12)
    }
    let again = [run(0x2_0000_0000, 0x2000, 0x5000_0000, .read)]
    for index in state.domains.indices where state.domains[index].devices == ["0000:00:03.0"] {
      var fixed = again
      fixed[0].length = 0x1000
      fixed.append(run(0x2_0000_1000, 0x1000, 0x5000_2000, .read))
      state.domains[index].mapping = Mapping(
        leaves: 1027, bytes: 1027 << 12, runs: pages + fixed)
    }
    return state
  }

  // MARK: Limits

  @Test func `pages are looked up as far as the run may`() throws {
    // Enough for three steps, and for what looking for the units' tables takes.
    let work = WorkBudget(WorkLimits(entries: 3 * 256 * 64 + 64))
    let evidence = DumpEvidence(state: guest, memory: SyntheticMemory([:]), work: work)
    let view = try #require(DeviceView(of: "0000:00:03.0", in: evidence))
    let free = try reach(view, .freePages)
    #expect(free.answer == .notKnown)
    #expect(free.reason.contains("were looked up (--max-entries)"))
    #expect(work.cuts.map(\.device) == ["0000:00:03.0"])
  }

  // MARK: Windows

  @Test func `a guest's runs are two windows`() throws {
    let view = try view("0000:00:03.0", guest)
    let space = try #require(view.spaces.first)
    #expect(space.distinctPages == 1025)
    #expect(space.bytes == 4_206_592)
    #expect(space.windows.map(\.runs) == [1025, 2])
    #expect(space.windows.map(\.start) == [0x1000_0000, 0x2_0000_0000])
    #expect(space.windows.map(\.end) == [0x1040_0fff, 0x2_0000_1fff])
    #expect(space.windows.map(\.isWritable) == [true, false])
    #expect(space.windows.map(\.isReadable) == [true, true])
  }

  @Test(arguments: [(0x1f_ffff as UInt64, 1), (0x20_0000, 2), (0, 1)])
  func `gaps of less than 2 MiB are joined`(_ gap: UInt64, _ windows: Int) {
    let runs = [run(0x10_0000, 0x1000, 0), run(0x10_1000 + gap, 0x1000, 0x9000, .write)]
    #expect(DeviceView.windows(runs).count == windows)
  }

  @Test func `runs up to the last address do not overflow`() {
    let windows = DeviceView.windows([
      run(0, 0x1000, 0), run(0xffff_ffff_ffff_f000, 0x1000, 0),
      run(0xffff_ffff_ffff_f000, .max, 0),
    ])
    #expect(windows.last?.end == IOVirtualAddress(.max))
  }

  // MARK: Source ids

  @Test func `an alias without a context is told`() throws {
    var state = RemappingState.sample
    state.contexts.removeAll { $0.device == "0000:00:1f.7" }
    let view = try view("0000:00:1f.2", state)
    #expect(view.sourceIDs.map(\.sourceID) == ["0000:00:1f.2", "0000:00:1f.7"])
    #expect(view.sourceIDs.map(\.context) == [.present, .absent])
  }

  @Test func `what could not be read is not called absent`() throws {
    var state = RemappingState.sample
    state.contexts.removeAll { $0.device == "0000:00:1f.7" }
    state.observations = [
      Observation(.unreadable, unit: "dmar0", structure: .table(.contextTable, bus: 0))
    ]
    #expect(try view("0000:00:1f.2", state).sourceIDs.last?.context == .notKnown)
  }

  @Test func `a device that nothing knows has no view`() {
    let evidence = DumpEvidence(state: .sample, memory: SyntheticMemory([:]))
    #expect(DeviceView(of: "0000:7f:00.0", in: evidence) == nil)
    // An alias is known by the device that has it.
    #expect(DeviceView(of: "0000:00:1f.7", in: evidence) != nil)
  }

  // MARK: What it can reach

  @Test func `yes names the mapping`() throws {
    var state = guest
    for index in state.domains.indices where state.domains[index].devices == ["0000:00:03.0"] {
      state.domains[index].mapping?.runs.append(run(0x3_0000_0000, 0x10_0000, 0x3fff_f000))
    }
    let text = try reach(view("0000:00:03.0", state), .kernelText)
    #expect(text.answer == .yes && text.isWritable == true)
    #expect(text.reason == "IOVA 0x300001000 maps physical 0x40000000 (rw)")
  }

  @Test func `no needs all tables`() throws {
    #expect(try reach(view("0000:00:03.0", guest), .crashKernel).answer == .no)
    var state = guest
    for index in state.domains.indices {
      state.domains[index].walk = WalkSummary(tables: 1, unreadable: 1)
    }
    let answer = try reach(view("0000:00:03.0", state), .crashKernel)
    #expect(answer.answer == .notKnown)
    #expect(answer.reason.hasSuffix("some tables of domain-id 7 could not be read"))
  }

  @Test func `what the map does not tell is not known`() throws {
    var state = guest
    state.memoryMap = []
    let view = try view("0000:00:03.0", state)
    for subject in [DeviceView.Reach.Subject.kernelText, .crashKernel] {
      #expect(try reach(view, subject).answer == .notKnown)
    }
  }

  @Test func `no reservation cannot be reached`() throws {
    var state = guest
    state.memoryMap.removeAll { $0.kind == .crashKernel }
    let answer = try reach(view("0000:00:03.0", state), .crashKernel)
    #expect(answer.answer == .no)
    #expect(answer.reason == "no memory is set aside for a crash kernel")
  }

  @Test func `pass-through reaches everything`() throws {
    let view = try view("0000:00:14.0")
    #expect(view.spaces.first?.isPassThrough == true)
    for row in view.reach { #expect(row.answer == .yes && row.isWritable == true, "\(row.what)") }
  }

  @Test func `a unit that does not translate stops nothing`() throws {
    var state = guest
    state.units[0].translationEnabled = false
    for row in try view("0000:00:03.0", state).reach { #expect(row.answer == .yes) }
  }

  @Test func `without any context nothing is reached`() throws {
    var state = RemappingState.sample
    state.contexts.removeAll { $0.device == "0000:00:03.0" }
    let view = try view("0000:00:03.0", state)
    #expect(view.sourceIDs.map(\.context) == [.absent])
    for row in view.reach { #expect(row.answer == .no, "\(row.what)") }
  }
}
