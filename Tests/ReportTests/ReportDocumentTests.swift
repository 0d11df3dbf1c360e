// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import MemoryFixtures
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
    try document.writeJSON(to: sink)
    return sink.text
  }

  @Test(arguments: documents.indices) func readsWhatItWrote(_ index: Int) throws {
    let document = Self.documents[index]
    #expect(try ReportReader.document(Array(text(document).utf8)) == document)
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
        "findings", "observations", "memoryMap", "handovers",
        "translationCaches", "faults", "startUp", "registers", "notJudged", "cuts", "deviceView",
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

  // MARK: The schema

  static let validator = "/usr/bin/python3"

  /// Runs the script that `make check` runs on the samples' reports.
  @Test(.enabled(if: canValidate, "needs python3 with jsonschema"))
  func everyDocumentValidatesAgainstTheSchema() throws {
    let folder = try TestFolder()
    var arguments = [try folder.write(ReportDocument.jsonSchema.utf8, to: "schema.json")]
    for (index, document) in Self.documents.enumerated() {
      arguments.append(try folder.write(try text(document).utf8, to: "\(index).json"))
    }
    let complaints = try Self.run([Self.script] + arguments)
    #expect(complaints.status == 0, "\(complaints.text)")
    // The script can say no.
    try folder.write("{}".utf8, to: "0.json")
    #expect(try Self.run([Self.script] + arguments).status == 1)
  }

  private static let script = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../scripts/validate-json").path(percentEncoded: false)

  private static let canValidate =
    (try? run(["-c", "from jsonschema import Draft202012Validator"]).status) == 0

  private static func run(_ arguments: [String]) throws -> (status: Int32, text: String) {
    let process = Process()
    process.executableURL = URL(filePath: validator)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardError = pipe
    try process.run()
    let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
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
