// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import MemoryFixtures
import RemappingState
import StateDiff
import StateFixtures
import Testing

@testable import Report

/// What holds for every document because it is stated once.
struct DocumentOutlineTests {
  static let outlines = DocumentOutline.all

  @Test(arguments: outlines.indices) func everyFieldHasAMeaning(_ index: Int) {
    let outline = Self.outlines[index]
    #expect(outline.meaning.hasSuffix("."))
    let rows = [("", outline.fields)] + outline.rows.map { ($0.name, $0.fields) }
    for row in outline.rows { #expect(row.meaning.hasSuffix("."), "\(row.name)") }
    for (name, fields) in rows {
      #expect(!fields.isEmpty, "\(name)")
      #expect(Set(fields.map(\.name)).count == fields.count, "\(name): a key twice")
      for field in fields {
        #expect(field.meaning.hasSuffix("."), "\(outline.verb) \(name).\(field.name)")
      }
    }
    #expect(Set(outline.rows.map(\.name)).count == outline.rows.count)
  }

  /// Every object of a JSON value, at any depth.
  private static func objects(in value: Any) -> [[String: Any]] {
    if let object = value as? [String: Any] {
      return [object] + object.values.flatMap(objects)
    }
    return (value as? [Any] ?? []).flatMap(objects)
  }

  /// The definitions that objects of a schema refer to.
  private static func references(of objects: [[String: Any]]) -> Set<String> {
    Set(
      objects.compactMap { $0["$ref"] as? String }.map {
        String($0.dropFirst("#/$defs/".count))
      })
  }

  @Test(arguments: outlines.indices) func theSchemaIsWhole(_ index: Int) throws {
    let outline = Self.outlines[index]
    let schema = try #require(
      try JSONSerialization.jsonObject(with: Data(outline.jsonSchema.utf8)) as? [String: Any])
    #expect(schema["$schema"] as? String == "https://json-schema.org/draft/2020-12/schema")
    #expect(schema["title"] as? String == outline.schema)
    let definitions = try #require(schema["$defs"] as? [String: Any])
    let objects = Self.objects(in: schema)
    for object in objects {
      guard let properties = object["properties"] as? [String: Any] else { continue }
      #expect(object["additionalProperties"] as? Bool == false)
      #expect(Set(object["required"] as? [String] ?? []) == Set(properties.keys))
    }
    // Each definition is used, and each use is defined: no two rows share a name.
    #expect(Self.references(of: objects) == Set(definitions.keys))
  }

  @Test(arguments: outlines.indices) func theSchemaOfLinesIsWhole(_ index: Int) throws {
    let outline = Self.outlines[index]
    let schema = try #require(
      try JSONSerialization.jsonObject(with: Data(outline.lineSchema.utf8)) as? [String: Any])
    let definitions = try #require(schema["$defs"] as? [String: Any])
    let used = Self.references(of: Self.objects(in: schema))
    #expect(used.isSubset(of: definitions.keys))
    #expect(used.isSuperset(of: ["list:document", "list:end"]))
    // Whatever is a line says so, and where.
    for (name, definition) in definitions where name.hasPrefix("list:") {
      let object = try #require(definition as? [String: Any])
      let list = (object["properties"] as? [String: [String: Any]])?["list"]
      // Rows of several forms follow the place with the form's name.
      let place = name.dropFirst("list:".count).prefix { $0 != ":" }
      #expect(list?["const"] as? String == String(place))
      #expect((object["required"] as? [String])?.first == "list")
    }
  }

  @Test func rowsOfSeveralFormsAreLines() throws {
    let schema = try #require(
      try JSONSerialization.jsonObject(with: Data(DiffDocument.outline.lineSchema.utf8))
        as? [String: Any])
    let definitions = try #require(schema["$defs"] as? [String: [String: Any]])
    for form in ["fieldChange", "mappingChange"] {
      let properties = definitions["list:domains.changed:\(form)"]?["properties"] as? [String: Any]
      #expect(properties?.keys.contains("key") == true)
    }
    let document = definitions["document:domainDifference"]?["properties"] as? [String: Any]
    #expect(document?.isEmpty == true)
  }

  @Test func listsThatGrowWithMemoryAreLinesOfTheirOwn() throws {
    let schema = try #require(
      try JSONSerialization.jsonObject(with: Data(ReportDocument.outline.lineSchema.utf8))
        as? [String: Any])
    let definitions = try #require(schema["$defs"] as? [String: [String: Any]])
    func properties(_ name: String) -> Set<String> {
      Set((definitions[name]?["properties"] as? [String: Any] ?? [:]).keys)
    }
    #expect(properties("list:domains.mapping.runs").isSuperset(of: ["list", "row", "of", "iova"]))
    #expect(!properties("list:domains").contains("of"))
    // What has lines of its own is not in the row any more; short lists stay there.
    #expect(!properties("mapping").contains("runs"))
    #expect(properties("list:domains").isSuperset(of: ["mapping", "devices"]))
    #expect(!properties("list:document").contains("units"))
  }

  /// The pages that people read are made of the same statements.
  @Test(arguments: [
    ("man/iommuscope-json.5", DocumentReference.manualPage),
    ("Documentation/JSON.md", DocumentReference.markdown),
  ])
  func theReferenceIsUpToDate(_ path: String, _ text: String) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
      .standardized.appending(path: path)
    if ProcessInfo.processInfo.environment["RECORD_REFERENCE"] != nil {
      try Data(text.utf8).write(to: file)
    }
    let kept = try? String(contentsOf: file, encoding: .utf8)
    #expect(kept == text, "\(path) is stale; run: make reference")
  }
}

/// A report is read back from what was written.
struct ReportRoundTripTests {
  private func bytes(_ document: ReportDocument) throws -> [UInt8] {
    let sink = MemorySink()
    try document.writeJSON(to: sink)
    return sink.bytes
  }

  private func random(_ seed: UInt64) -> ReportDocument {
    var random = SeededGenerator(seed: seed)
    return randomValue(ReportDocument.self, .plain, &random)
  }

  @Test(arguments: 0..<150 as Range<UInt64>) func randomReports(_ seed: UInt64) throws {
    let document = random(seed)
    let text = try bytes(document)
    #expect(try ReportReader.document(text) == document, "seed \(seed)")
    // Independent of our reader: any parser agrees that it is JSON.
    let parsed = try JSONSerialization.jsonObject(with: Data(text))
    // Other programs write keys in another order and with other white space.
    let sorted = try JSONSerialization.data(withJSONObject: parsed, options: [.sortedKeys])
    #expect(try ReportReader.document(Array(sorted)) == document, "seed \(seed), sorted")
  }

  @Test func passesByKeysThatALaterVersionAdds() throws {
    let document = ReportDocument(state: .sample, findings: [])
    let text = String(decoding: try bytes(document), as: UTF8.self)
    for place in ["\"tool\": {", "\"iova\": \"0xffffa000\"", "\"memoryMap\": "] {
      let added = text.replacing(place, with: "\"later\": [{\"a\": 1.5e3}, null], " + place)
      #expect(added != text)
      #expect(try ReportReader.document(Array(added.utf8)) == document, "\(place)")
    }
    let end = text.lastIndex(of: "}").map { text[..<$0] + ", \"later\": 1}\n" } ?? ""
    #expect(try ReportReader.document(Array(end.utf8)) == document)
  }

  @Test func anObservationReadsBack() throws {
    for cause in Cause.allCases.map(Optional.some) + [nil] {
      let observation = Observation(
        .unreadable, unit: "dmar0", structure: .table(.pasidTable, bus: 3), address: 0x1000,
        cause: cause, detail: "gone")
      let sink = MemorySink()
      try observation.writeDocument(to: sink)
      #expect(try Observation.readDocument(sink.bytes) == observation)
    }
  }

  /// Documents of before causes were told.
  @Test func aDocumentWithoutCauseReads() throws {
    let text = """
      {"kind": "unreadable", "unit": null, "device": null, "domainID": null,
       "subject": "struct iova", "address": null, "word": null, "detail": "gone", "count": 1}
      """
    let observation = try Observation.readDocument(Array(text.utf8))
    #expect(
      observation == Observation(.unreadable, structure: .kernel(.allocation), detail: "gone"))
    let lacking = text.replacing("\"detail\": \"gone\", ", with: "")
    #expect {
      try Observation.readDocument(Array(lacking.utf8))
    } throws: { error in
      (error as? JSONReadingError)?.problem == .missingKey("detail")
    }
  }

  /// No damage to the text traps: it reads, or the error lies inside the bytes.
  @Test(arguments: 0..<40 as Range<UInt64>) func damagedReports(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed ^ 0xda3a)
    let whole = try bytes(self.random(seed))
    let alphabet = Array("\"{}[],:0x9-.eutf\\ \n\u{0}".utf8) + [0xff, 0xc3]
    for _ in 0..<60 {
      var text = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) where !text.isEmpty {
        let place = Int.random(in: 0..<text.count, using: &random)
        let byte = alphabet.randomElement(using: &random) ?? 0
        switch Int.random(in: 0...4, using: &random) {
        case 0: text[place] = byte
        case 1: text.insert(byte, at: place)
        case 2: text.removeSubrange(place..<min(place + 9, text.count))
        case 3: text.removeSubrange(place...)
        default: text.insert(contentsOf: text[place..<min(place + 200, text.count)], at: place)
        }
      }
      do {
        let document = try ReportReader.document(text)
        // What still reads also compares and writes.
        _ = StateDiff(from: StateDiff.Side(.sample), to: StateDiff.Side(document.state)).isEmpty
        _ = try bytes(document)
      } catch {
        let error = try #require(error as? JSONReadingError)
        #expect((0...text.count).contains(error.offset))
      }
    }
  }
}
