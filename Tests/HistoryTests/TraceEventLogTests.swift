// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import RemappingState
import StateFixtures
import Testing

@testable import History
@testable import Report

/// The events of the past as a trace that viewers open.
struct TraceEventLogTests {
  private static let first: DeviceName = "0000:00:02.0"
  private static let second: DeviceName = "0000:00:03.0"

  private static func event(
    _ time: UInt64, _ name: String, _ iova: UInt64, _ length: UInt64 = 0x1000,
    of devices: [DeviceName] = []
  ) -> TraceEvent {
    var event = TraceEvent(
      time: time, cpu: 1, process: 7, system: "iommu", name: name, text: "\(name) it")
    event.iova = iova
    event.length = length
    event.devices = devices
    return event
  }

  private struct Entry: Decodable {
    var name: String
    var ph: String
    var cat: String?
    var s: String?
    var ts: Double?
    var pid: Int
    var tid: Int?
    var id: String?
  }

  private struct Trace: Decodable {
    var otherData: [String: String]
    var traceEvents: [Entry]
  }

  private func trace(
    _ events: [TraceEvent], clock: Int = 0, panic: UInt64? = nil
  ) throws -> (Trace, String) {
    var ring = RingCoverage()
    ring.clock = clock
    ring.panic = panic
    let document = HistoryDocument(
      dump: DumpSummary(file: "d\u{1b}", format: "elf"), ring: ring, events: events, problems: [],
      invalidations: [])
    let sink = MemorySink()
    try TraceEventLog(document).write(to: sink)
    return (try JSONDecoder().decode(Trace.self, from: Data(sink.text.utf8)), sink.text)
  }

  @Test func aTrackForEachDeviceAndKind() throws {
    let (trace, _) = try trace([
      Self.event(1, "map", 0x1000, of: [Self.second]), Self.event(2, "unmap", 0x9000),
      Self.event(3, "map", 0x2000, of: [Self.first]),
      Self.event(4, "map", 0x3000, of: [Self.first, Self.second]),
      Self.event(5, "unmap", 0x3000, of: [Self.second]),
    ])
    let names = trace.traceEvents.filter { $0.ph == "M" && $0.tid != nil }.map {
      "\($0.pid).\($0.tid ?? 0)"
    }
    // By device; what names none comes last. 1 is the kernel's own.
    #expect(names == ["2.1", "3.1", "4.1", "4.2", "5.1"])
    #expect(
      trace.traceEvents.filter { $0.ph == "i" }.map { "\($0.name) \($0.pid).\($0.tid ?? 0)" } == [
        "map 4.1", "unmap 5.1", "map 2.1", "map 3.1", "unmap 4.2",
      ])
  }

  @Test func timesKeepEveryNanosecond() throws {
    let (_, text) = try trace([
      Self.event(12_345_678_901_234_567, "map", 0), Self.event(12_345_678_901_235_005, "map", 0),
    ])
    #expect(text.contains(#""ts": 12345678901234.567"#))
    #expect(text.contains(#""ts": 12345678901235.005"#))
    #expect(!text.contains("\u{1b}"))
  }

  struct Pairing: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var events: [TraceEvent]
    /// Phase and number of the map, in the order of the trace.
    var stretches: [String]

    init(_ description: String, _ events: [TraceEvent], _ stretches: [String]) {
      testDescription = description
      self.events = events
      self.stretches = stretches
    }
  }

  static let pairings = [
    Pairing(
      "a map and its unmap", [event(1, "map", 0x1000), event(2, "unmap", 0x1000)],
      ["b 0x0", "e 0x0"]),
    Pairing(
      "one unmap of two maps",
      [event(1, "map", 0x1000), event(2, "map", 0x2000), event(3, "unmap", 0x1000, 0x2000)],
      ["b 0x0", "b 0x1", "e 0x0", "e 0x1"]),
    Pairing(
      "mapped twice: two domains, or an unmap that is lost",
      [event(1, "map", 0x1000), event(2, "map", 0x1000), event(3, "unmap", 0x1000)], []),
    Pairing(
      "a part of what was mapped", [event(1, "map", 0x1000, 0x4000), event(2, "unmap", 0x1000)],
      []),
    Pairing("still mapped", [event(1, "map", 0x1000, of: [first])], ["b 0x0"]),
    Pairing("not known whether still mapped", [event(1, "map", 0x1000)], []),
    Pairing("an unmap without a map", [event(1, "unmap", 0x1000)], []),
    Pairing(
      "the end of all addresses",
      [
        event(1, "map", 0xffff_ffff_ffff_f000), event(2, "unmap", 0xffff_ffff_ffff_f000, .max),
      ], ["b 0x0", "e 0x0"]),
  ]

  @Test(arguments: pairings)
  func whatWasMappedIsAStretch(_ pairing: Pairing) throws {
    let (trace, _) = try trace(pairing.events)
    #expect(
      trace.traceEvents.filter { $0.cat == "mapped" }.map { "\($0.ph) \($0.id ?? "")" }
        == pairing.stretches)
  }

  @Test func thePanicHasItsPlaceByTheLogsClockAlone() throws {
    let events = [Self.event(1000, "map", 0)]
    let (same, _) = try trace(events, clock: 0, panic: 5000)
    let panic = try #require(same.traceEvents.last)
    #expect((panic.name, panic.s, panic.ts, panic.pid) == ("panic", "g", 5, 1))
    let (other, _) = try trace(events, clock: 2, panic: 5000)
    #expect(!other.traceEvents.contains { $0.name == "panic" || $0.pid == 1 })
    #expect(other.otherData["clock"]?.contains("no place") == true)
  }

  @Test func nothingIsATraceToo() throws {
    #expect(try trace([]).0.traceEvents.isEmpty)
  }
}
