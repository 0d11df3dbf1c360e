// SPDX-License-Identifier: Apache-2.0

import Foundation
import Inheritance
import Memory
import MemoryFixtures
import RemappingState
import Report
import StateFixtures
import TableFixtures
import Testing

struct InheritDocumentTests {
  private func document() -> InheritDocument {
    var machine = Machine()
    // Something for every list: a problem, an inherited context, a context in the crash kernel.
    let top = machine.state.contexts[0].table?.rawValue ?? 0
    machine.tables.memory[top + 8] = 0xdead_f003
    machine.refresh()
    machine.state.units[0].copiedContexts = ["0000:00:01.0"]
    let takeover = CrashTakeover(
      release: "6.1",
      units: [
        CrashUnit(
          name: "dmar0", rootTable: 0x1000, tookOver: true, copied: [8], domainIDs: [0],
          interruptTable: nil)
      ])
    let result = machine.forecaster().forecast(beside: takeover) { _ in }
    return InheritDocument(dump: machine.state.dump, forecast: result.forecast)
  }

  private func json() throws -> String {
    let sink = MemorySink()
    try document().writeJSON(to: sink)
    return sink.text
  }

  @Test func hasTheKeysOfTheContractInTheirOrder() throws {
    let lines = try json().split(separator: "\n")
    let top = lines.compactMap { line -> Substring? in
      guard line.hasPrefix("  \"") else { return nil }
      return line.dropFirst(3).prefix { $0 != "\"" }
    }
    #expect(
      top == [
        "schema", "tool", "dump", "crashKernel", "inherited", "observed", "policies",
        "liveUpdate", "recommendation", "changedAfterPanic", "outlook",
        "cuts",
      ])
    let value = try #require(
      try JSONSerialization.jsonObject(with: Data(json().utf8)) as? [String: Any])
    let policies = try #require(value["policies"] as? [[String: Any]])
    #expect(policies.map { $0["policy"] as? String } == Policy.allCases.map(\.rawValue))
    let unit = try #require((policies[0]["units"] as? [[String: Any]])?.first)
    for key in [
      "unit", "outcome", "reason", "rootTable", "roots", "contexts", "pasids", "domainIDs",
      "interruptRemapping", "memory",
    ] {
      #expect(unit[key] != nil)
    }
    let device = try #require((policies[0]["devices"] as? [[String: Any]])?.first)
    #expect((device["at"] as? [String: Any])?.keys.sorted() == ["T1", "T2", "T3", "T4"])
    let roots = try #require(unit["roots"] as? [[String: Any]])
    #expect(roots.first?["new"] as? String == "+0x1001")
    #expect(roots.first?["half"] is NSNull)
  }

  @Test func isByteIdenticalFromRunToRun() throws {
    #expect(try json() == json())
  }

  /// Every object of the schema is closed and has exactly the keys that are written.
  @Test func theSchemaNamesExactlyTheKeysThatAreWritten() throws {
    let schema = try #require(
      try JSONSerialization.jsonObject(with: Data(InheritDocument.jsonSchema.utf8))
        as? [String: Any])
    #expect(schema["title"] as? String == InheritDocument.schema)
    let definitions = try #require(schema["$defs"] as? [String: Any])
    var problems: [String] = []
    func check(_ value: Any, against schema: [String: Any], _ path: String) {
      var schema = schema
      while let reference = schema["$ref"] as? String {
        schema = definitions[String(reference.dropFirst("#/$defs/".count))] as? [String: Any] ?? [:]
      }
      if let choices = schema["anyOf"] as? [[String: Any]] {
        if !(value is NSNull), let first = choices.first { check(value, against: first, path) }
        return
      }
      if let names = schema["enum"] as? [Any] {
        let texts = names.map { $0 as? String ?? "null" }
        let text = value as? String ?? "null"
        if !texts.contains(text) { problems.append("\(path): \(text)") }
      }
      if let object = value as? [String: Any] {
        let properties = schema["properties"] as? [String: Any] ?? [:]
        if Set(properties.keys) != Set(schema["required"] as? [String] ?? []) {
          problems.append("\(path): required")
        }
        if schema["additionalProperties"] as? Bool != false { problems.append("\(path): open") }
        if Set(properties.keys) != Set(object.keys) {
          problems.append("\(path): \(Set(properties.keys).symmetricDifference(object.keys))")
        }
        for (key, value) in object {
          check(value, against: properties[key] as? [String: Any] ?? [:], "\(path).\(key)")
        }
      } else if let array = value as? [Any] {
        let items = schema["items"] as? [String: Any] ?? [:]
        for value in array { check(value, against: items, "\(path)[]") }
      } else if let pattern = schema["pattern"] as? String, let text = value as? String,
        ((try? Regex(pattern).wholeMatch(in: text)) ?? nil) == nil
      {
        problems.append("\(path): \(text)")
      }
    }
    check(
      try JSONSerialization.jsonObject(with: Data(try json().utf8)), against: schema, "$")
    #expect(Set(problems) == [])
  }

  @Test(arguments: [false, true]) func theTextIsPlainAndFits(_ color: Bool) throws {
    let sink = MemorySink()
    try InheritText(limit: 3, color: color).write(document(), to: sink)
    if !color {
      #expect(sink.text.split(separator: "\n").allSatisfy { $0.utf8.count <= 100 })
      #expect(sink.text.utf8.allSatisfy { $0 == 0x0a || (0x20..<0x7f).contains($0) })
    }
    for policy in Policy.allCases {
      let remark = policy == .linux ? ", what kernels do" : ""
      #expect(sink.text.contains("Policy \(policy.rawValue)\(remark): "))
    }
  }
}
