// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import RemappingState
import Report
import StateDiff
import StateFixtures
import Testing

struct DiffDocumentTests {
  /// The sample after a bad day: a context gone, a page moved, a leak, a region lost.
  static var changed: RemappingState {
    var state = RemappingState.sample
    state.dump.file = "after.vmcore"
    state.units[0].translationEnabled = false
    state.contexts.removeFirst()
    for index in state.domains.indices where state.domains[index].domainID == 5 {
      state.domains[index].mapping?.runs[1].physical = 0x8_0000_0000
      state.domains[index].mapping?.runs.removeLast()
      state.domains[index].iova?.allocated += (0..<40 as Range<UInt64>).map { number in
        let start = 0xfff0_0000 + number * 0x1000
        return IOVARange(
          start: IOVirtualAddress(start), end: IOVirtualAddress(start + 0xfff), state: .live)
      }
    }
    state.reservedRegions[1].mapped = .absent
    return state
  }

  static let document = DiffDocument(
    old: RemappingState.sample.dump, new: changed.dump,
    diff: StateDiff(
      from: StateDiff.Side(.sample),
      to: StateDiff.Side(
        changed,
        findings: [
          Finding(
            rule: "unit.translation-off", severity: .error, unit: "dmar0", message: "it is off")
        ])))

  private func json(_ document: DiffDocument) throws -> [String: Any] {
    let sink = MemorySink()
    try document.writeJSON(to: sink)
    return try #require(
      try JSONSerialization.jsonObject(with: Data(sink.text.utf8)) as? [String: Any])
  }

  @Test func theTextTellsWhatBrokeFirst() throws {
    let sink = MemorySink()
    try DiffText(limit: 2).write(Self.document, to: sink)
    #expect(
      sink.text == """
        DIFFERENCES
          old               sample.vmcore, 6.1.0-56-amd64, 2026-11-22 10:12:13 UTC (1795342333)
          new               after.vmcore, 6.1.0-56-amd64, 2026-11-22 10:12:13 UTC (1795342333)
          result            1 new error, 1 unit differs, 1 context gone, 1 reserved region differs, 1 domain
                            differs

        WHAT THAT MEANS
          translation on and interrupt remapping on became translation on for 1 of 2 units and interrupt
            remapping on
          reserved regions differ, or how they are mapped: rmrr 0xbd800000 to 0xbd801fff
          As before: kernel 6.1.0-56-amd64; lazy for 3 devices, strict for 1 device, pass-through for 2
            devices; the command line's words about remapping are the same; mixed tables; address space 256
            TiB (4 levels); no device lost; every device has the driver it had; no fault in the log

        FINDINGS
          new error         unit.translation-off dmar0: it is off

        REMAPPING UNITS
          changed   0 0xfed90000: translationEnabled yes -> no

        CONTEXTS: what the hardware would see
          gone      dmar0 0000:00:02.0: second-stage, domain-id 5

        RESERVED REGIONS
          changed   0 0xbd800000 0xbd801fff rmrr: mapped identity -> absent

        ALLOCATORS: live mappings, the largest growth first
          Unit   Device        Old ranges  New ranges  Old bytes  New bytes      Growth
          dmar0  0000:00:02.0           3          43      24576     188416  +160.0 KiB

        DOMAINS AND THEIR MAPPINGS
          changed   dmar0 0000:00:02.0: iova.live 3 ranges of 24576 bytes -> 43 ranges of 188416 bytes

          dmar0 0000:00:02.0: 1 range removed (4.0 KiB), 1 range moved (12.0 KiB)
            Change        Start         End  Bytes  Old       New
            removed  0xfffff000  0xffffffff   4096  0x8000 w  -

          Ranges that moved are mapped as before, to other pages, as from one boot to the next; --physical
          lists them.

        """)
    for line in sink.text.split(separator: "\n") { #expect(line.utf8.count <= 100) }
  }

  @Test func equalStatesAreOneSentence() throws {
    let sink = MemorySink()
    let side = StateDiff.Side(RemappingState.sample)
    try DiffText().write(
      DiffDocument(
        old: side.state.dump, new: side.state.dump, diff: StateDiff(from: side, to: side)),
      to: sink)
    #expect(sink.text.split(separator: "\n").last == "  result            equal")
  }

  @Test func hostileNamesStayInside() throws {
    let sink = MemorySink()
    let diff = StateDiff(from: StateDiff.Side(.hostile), to: StateDiff.Side(.sample))
    try DiffText(limit: nil).write(
      DiffDocument(
        old: RemappingState.hostile.dump, new: RemappingState.sample.dump, diff: diff), to: sink)
    for line in sink.text.split(separator: "\n") {
      #expect(line.utf8.count <= 100)
      #expect(line.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f })
    }
  }

  @Test func hasTheKeysOfTheContract() throws {
    let document = try json(Self.document)
    #expect(document["schema"] as? String == "iommuscope-diff/1")
    #expect(document["equal"] as? Bool == false)
    let domains = try #require(document["domains"] as? [String: Any])
    let changes = try #require(domains["changed"] as? [[String: Any]])
    let mapping = try #require(changes.first { $0["field"] as? String == "mapping" })
    #expect(Set(mapping.keys) == ["key", "field", "start", "end", "old", "new"])
    #expect(mapping["start"] as? String == "0xffffa000")
    #expect(mapping["old"] as? [String: String] == ["physical": "0x123456000", "access": "r"])
    let removed = try #require(changes.last)
    #expect(removed["new"] is NSNull)
    let field = try #require(changes.first)
    #expect(Set(field.keys) == ["key", "field", "old", "new"])
  }

  @Test func theSchemaNamesExactlyTheKeysThatAreWritten() throws {
    let schema = try #require(
      try JSONSerialization.jsonObject(with: Data(DiffDocument.jsonSchema.utf8))
        as? [String: Any])
    #expect(schema["title"] as? String == DiffDocument.schema)
    let properties = try #require(schema["properties"] as? [String: Any])
    let document = try json(Self.document)
    #expect(Set(properties.keys) == Set(document.keys))
    #expect(Set(schema["required"] as? [String] ?? []) == Set(document.keys))
    let definitions = try #require(schema["$defs"] as? [String: Any])
    var references: Set<String> = []
    func collect(_ value: Any) {
      if let object = value as? [String: Any] {
        if let reference = object["$ref"] as? String { references.insert(reference) }
        object.values.forEach(collect)
      } else if let array = value as? [Any] {
        array.forEach(collect)
      }
    }
    collect(schema)
    for reference in references {
      #expect(definitions[String(reference.dropFirst("#/$defs/".count))] != nil)
    }
  }
}

struct ReportReaderTests {
  private func bytes(_ document: ReportDocument) throws -> [UInt8] {
    let sink = MemorySink()
    try document.writeJSON(to: sink)
    return sink.bytes
  }

  /// Every cut of a real document is an error.
  @Test func refusesWhatIsCut() throws {
    let whole = try bytes(ReportDocument(state: .sample, findings: ReportDocumentTests.findings))
    for length in stride(from: 0, to: whole.count - 2, by: 97) {
      #expect(throws: JSONReadingError.self) {
        try ReportReader.document(Array(whole[..<length]))
      }
    }
  }

  @Test func saysWhereTheDocumentIsWrong() throws {
    let text = String(
      decoding: try bytes(ReportDocument(state: .sample, findings: [])), as: UTF8.self)
    let broken = text.replacing("\"iova\": \"0xbd800000\"", with: "\"iova\": 17")
    let place = try #require(broken.utf8.firstRange(of: "\"iova\": 17".utf8))
    #expect {
      try ReportReader.document(Array(broken.utf8))
    } throws: { error in
      let error = error as? JSONReadingError
      return error?.path == "domains[1].mapping.runs[0].iova"
        && error?.problem == .wrongType(expected: "a string such as \"0x1f\"", found: "a number")
        && error?.offset == broken.utf8.distance(from: broken.startIndex, to: place.upperBound) - 2
    }
  }
}
