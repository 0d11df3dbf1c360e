// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import RemappingState
import Report
import StateFixtures
import Testing

struct ReportDocumentTests {
  static let findings = [
    Finding(
      rule: "device.context-missing", severity: .error, unit: "dmar0", device: "0000:00:02.0",
      message: "a message", evidence: [Evidence(what: "context entry", address: 0x10, words: [1])])
  ]

  static let documents = [
    ReportDocument(state: .sample, findings: findings),
    ReportDocument(state: .hostile, findings: []),
    ReportDocument(
      state: RemappingState(dump: DumpSummary(file: "empty", format: "elf")), findings: []),
  ]

  private func text(_ document: ReportDocument) throws -> String {
    let sink = MemorySink()
    try JSONTextEncoder().encode(document, to: sink)
    return sink.text
  }

  @Test(arguments: documents.indices) func decodesToWhatWasEncoded(_ index: Int) throws {
    let document = Self.documents[index]
    let data = Data(try text(document).utf8)
    #expect(try JSONDecoder().decode(ReportDocument.self, from: data) == document)
  }

  @Test(arguments: documents.indices) func isByteIdenticalFromRunToRun(_ index: Int) throws {
    #expect(try text(Self.documents[index]) == text(Self.documents[index]))
  }

  @Test func hasTheKeysOfTheContractInTheirOrder() throws {
    let text = try text(Self.documents[0])
    let top = text.split(separator: "\n").compactMap { line -> Substring? in
      guard line.hasPrefix("  \"") else { return nil }
      return line.dropFirst(3).prefix { $0 != "\"" }
    }
    #expect(
      top == [
        "schema", "tool", "dump", "units", "contexts", "domains", "devices", "reservedRegions",
        "findings", "observations",
      ])
  }

  @Test func aRunTakesOneLine() throws {
    let text = try text(Self.documents[0])
    #expect(
      text.contains(
        """
                  {"iova": "0xffffa000", "length": "0x3000", "physical": "0x123456000", "access": "r"},

        """))
  }

  @Test(arguments: [
    #"{"schema": "iommuscope-report/2"}"#, #"{"schema": "iommuscope-diff/1"}"#, #"{}"#, #"[]"#,
  ])
  func refusesOtherDocuments(_ text: String) {
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(ReportDocument.self, from: Data(text.utf8))
    }
  }

  // MARK: The schema

  @Test func theSchemaIsJSONAndSaysItsDraft() throws {
    let schema = try #require(
      try JSONSerialization.jsonObject(with: Data(ReportDocument.jsonSchema.utf8))
        as? [String: Any])
    #expect(schema["$schema"] as? String == "https://json-schema.org/draft/2020-12/schema")
    #expect(schema["title"] as? String == ReportDocument.schema)
  }

  /// Every object of the schema lists its properties as required and closes itself, and has the keys
  /// that the encoder writes for that type, so a new property cannot be forgotten in one of them.
  @Test func theSchemaNamesExactlyTheKeysThatAreWritten() throws {
    let schema = try #require(
      try JSONSerialization.jsonObject(with: Data(ReportDocument.jsonSchema.utf8))
        as? [String: Any])
    let definitions = try #require(schema["$defs"] as? [String: Any])
    var problems: [String] = []

    func check(_ value: Any, against schema: [String: Any], _ path: String) {
      var schema = schema
      while let reference = schema["$ref"] as? String {
        let name = String(reference.dropFirst("#/$defs/".count))
        schema = definitions[name] as? [String: Any] ?? [:]
      }
      if let choices = schema["anyOf"] as? [[String: Any]] {
        if !(value is NSNull), let first = choices.first { check(value, against: first, path) }
        return
      }
      if let object = value as? [String: Any] {
        let properties = schema["properties"] as? [String: Any] ?? [:]
        let required = schema["required"] as? [String] ?? []
        if Set(properties.keys) != Set(required) { problems.append("\(path): required") }
        if schema["additionalProperties"] as? Bool != false { problems.append("\(path): open") }
        if Set(properties.keys) != Set(object.keys) { problems.append("\(path): keys") }
        for (key, value) in object {
          check(value, against: properties[key] as? [String: Any] ?? [:], "\(path).\(key)")
        }
      } else if let array = value as? [Any] {
        let items = schema["items"] as? [String: Any] ?? [:]
        for value in array { check(value, against: items, "\(path)[]") }
      }
    }

    let value = try JSONSerialization.jsonObject(with: Data(try text(Self.documents[0]).utf8))
    check(value, against: schema, "$")
    #expect(problems.isEmpty)
  }
}
