// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

@testable import History
@testable import Report

/// What the past is said to be about, and what of it is shown.
struct HistoryTests {
  private static func event(
    _ time: UInt64, _ name: String, _ iova: UInt64, _ physical: UInt64? = nil,
    length: UInt64 = 0x1000
  ) -> TraceEvent {
    var event = TraceEvent(
      time: time, cpu: 0, process: 7, system: "iommu", name: name,
      text: "\(name) \(iova.hexadecimal)")
    event.iova = iova
    event.length = length
    event.physical = physical
    return event
  }

  private static var state: RemappingState {
    var state = RemappingState(dump: DumpSummary(file: "d", format: "elf"))
    state.contexts = [
      Context(
        unit: "dmar0", device: "0000:00:02.0", pasid: nil, translation: .secondStage, domainID: 9,
        levels: 4, table: PhysicalAddress(0x5000), faultProcessingDisabled: false, raw: [], entry: 0
      )
    ]
    state.devices = [Device(device: "0000:00:02.0", unit: "dmar0", driver: "e1000e")]
    state.domains = [
      Domain(
        unit: "dmar0", domainID: 9, type: .dma, stage: .second, table: PhysicalAddress(0x5000),
        levels: 4, devices: ["0000:00:02.0"], inFlight: true,
        mapping: Mapping(
          leaves: 2, bytes: 0x2000,
          runs: [
            Run(
              iova: IOVirtualAddress(0x1000), length: HexWord(0x2000),
              physical: PhysicalAddress(0x8000), access: .readWrite)
          ]))
    ]
    return state
  }

  @Test func aMapIsAttributedByTheTablesAndItsUnmapByIt() {
    var names = EventNames(Self.state)
    var events = [
      Self.event(1, "map", 0x2000, 0x9000), Self.event(2, "map", 0x1000, 0x7000),
      Self.event(3, "unmap", 0x2000), Self.event(4, "unmap", 0x6000),
    ]
    names.attribute(&events)
    // The second leads elsewhere now, the last was never seen mapped.
    #expect(events.map(\.devices) == [["0000:00:02.0"], [], ["0000:00:02.0"], []])
    #expect(names.withDriver("0000:00:02.0") == "0000:00:02.0 e1000e")
  }

  @Test func descriptorsNameTheirDevices() {
    let names = EventNames(Self.state)
    // An IOTLB invalidation of domain-id 9, and one of an id that nobody has.
    #expect(names.devices(unit: "dmar0", words: [0x9_00e2, 0]) == ["0000:00:02.0"])
    #expect(names.devices(unit: "dmar0", words: [0xa_00e2, 0]).isEmpty)
    #expect(names.devices(unit: "dmar1", words: [0x9_00e2, 0]).isEmpty)
  }

  private static func coverage(clock: Int) -> RingCoverage {
    var coverage = RingCoverage()
    coverage.clock = clock
    coverage.first = 1_000
    coverage.last = 5_000_000_000
    coverage.panic = 5_100_000_000
    return coverage
  }

  @Test func theEndIsComparedWithThePanicOnlyByOneClock() {
    #expect(Self.coverage(clock: 0).beforePanic == 100_000_000)
    #expect(Self.coverage(clock: 2).beforePanic == nil)
  }

  @Test func theLastMomentsEndAtThePanic() {
    let events = [
      Self.event(4_000_000_000, "map", 0), Self.event(4_950_000_000, "map", 0),
      Self.event(5_000_000_000, "map", 0),
    ]
    let last = HistorySelection(last: 150_000_000)
    #expect(last.events(of: events, Self.coverage(clock: 0)).chosen.count == 2)
    // By another clock they end at the newest event.
    #expect(last.events(of: events, Self.coverage(clock: 2)).chosen.count == 2)
    #expect(HistorySelection(last: 10).events(of: events, Self.coverage(clock: 0)).chosen.isEmpty)
    let device = HistorySelection(device: "0000:00:02.0")
    #expect(device.events(of: events, nil) == ([], 3))
  }

  @Test func neighboursAreOneRow() throws {
    let document = HistoryDocument(
      dump: DumpSummary(file: "d", format: "elf"), ring: Self.coverage(clock: 0),
      events: [
        Self.event(1, "map", 0x1000, 0x8000), Self.event(2, "map", 0x2000, 0x9000),
        Self.event(3, "map", 0x0, 0xa000), Self.event(4, "unmap", 0x1000),
        Self.event(5, "unmap", 0x9000),
      ], problems: [], invalidations: [])
    let sink = MemorySink()
    try HistoryText().write(document, to: sink)
    #expect(sink.text.contains("5 remapping events in 3 rows"))
    #expect(sink.text.contains("3 times, 0x0-0x2fff, 12288 bytes (12.0 KiB)"))
    #expect(sink.text.contains("at 5.100000, 100.000 ms after the newest event"))
  }
}
