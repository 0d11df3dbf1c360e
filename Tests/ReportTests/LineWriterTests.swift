// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import MemoryFixtures
import RemappingState
import StateDiff
import StateFixtures
import Testing

@testable import Report

/// Documents as lines: nothing is lost, nothing is told twice.
struct LineWriterTests {
  typealias Object = [String: Any]

  private static func random(_ seed: UInt64) -> ReportDocument {
    var random = SeededGenerator(seed: seed)
    return randomValue(ReportDocument.self, .plain, &random)
  }

  private static func lines(_ document: some Document) throws -> [Object] {
    let sink = MemorySink()
    try document.writeLines(to: sink)
    #expect(sink.bytes.last == UInt8(ascii: "\n"))
    return try sink.bytes.split(separator: UInt8(ascii: "\n")).map {
      try #require(try JSONSerialization.jsonObject(with: Data($0)) as? Object)
    }
  }

  private static func whole(_ document: some Document) throws -> Object {
    let sink = MemorySink()
    try document.writeJSON(to: sink)
    return try #require(try JSONSerialization.jsonObject(with: Data(sink.bytes)) as? Object)
  }

  /// The members of all objects of a document that are no containers, by path; the order of lists
  /// does not matter here.
  private static func leaves(_ value: Any, _ path: String, _ result: inout [String: [String]]) {
    switch value {
    case let object as Object:
      for (key, value) in object { leaves(value, path.isEmpty ? key : "\(path).\(key)", &result) }
    case let array as [Any]: for value in array { leaves(value, path, &result) }
    default: result[path, default: []].append("\(value)")
    }
  }

  @Test(arguments: 0..<60 as Range<UInt64>) func nothingIsLost(_ seed: UInt64) throws {
    let document = Self.random(seed)
    var lines = try Self.lines(document)
    let end = lines.removeLast()
    #expect(end["list"] as? String == "end")
    #expect(end["lines"] as? Int == lines.count)
    var fromLines: [String: [String]] = [:]
    var counts: [String: Int] = [:]
    for var line in lines {
      let list = try #require(line.removeValue(forKey: "list") as? String)
      if list == "document" {
        Self.leaves(line, "", &fromLines)
        continue
      }
      #expect(line.removeValue(forKey: "row") as? Int == counts[list, default: 0], "\(list)")
      counts[list, default: 0] += 1
      if let owner = line.removeValue(forKey: "of") as? Int {
        // The row that it is part of came before it.
        let parent = counts.filter { list.hasPrefix($0.key + ".") }.max { $0.key < $1.key }
        #expect(owner == (parent?.value).map { $0 - 1 }, "\(list)")
      }
      Self.leaves(line, list, &fromLines)
    }
    var fromDocument: [String: [String]] = [:]
    Self.leaves(try Self.whole(document), "", &fromDocument)
    #expect(fromLines.mapValues { $0.sorted() } == fromDocument.mapValues { $0.sorted() })
  }

  @Test func aLineIsARow() throws {
    let lines = try Self.lines(ReportDocument(state: .sample, findings: []))
    let lists = lines.compactMap { $0["list"] as? String }
    #expect(lists.first == "document")
    #expect(lists.last == "end")
    for list in ["units", "contexts", "domains", "domains.mapping.runs", "devices"] {
      #expect(lists.contains(list), "\(list)")
    }
    let domain = try #require(
      lines.first {
        $0["list"] as? String == "domains" && $0["mapping"] is Object
      })
    #expect((domain["mapping"] as? Object)?["runs"] == nil)
    #expect((domain["mapping"] as? Object)?["leaves"] != nil)
    // What is unknown is null, and what is empty has no line.
    #expect(lines[0]["deviceView"] is NSNull)
    #expect(lines[0]["findings"] == nil)
  }

  /// `list`, `row` and `of` are the lines' own.
  @Test(arguments: DocumentOutline.all.indices) func noRowHasTheirKeys(_ index: Int) {
    let outline = DocumentOutline.all[index]
    for row in outline.rows {
      for field in row.fields {
        #expect(!["list", "row", "of"].contains(field.name), "\(row.name).\(field.name)")
      }
    }
  }

  @Test func changesAreLines() throws {
    var changed = RemappingState.sample
    changed.units[0].translationEnabled = false
    let diff = StateDiff(
      from: StateDiff.Side(.sample), to: StateDiff.Side(changed), options: DiffOptions())
    let lines = try Self.lines(
      DiffDocument(old: changed.dump, new: changed.dump, diff: diff))
    let change = try #require(lines.first { $0["list"] as? String == "units.changed" })
    #expect(change["field"] as? String == "translationEnabled")
    #expect(change["old"] as? Bool == true)
  }

  /// As lines, a document goes out as it is made.
  @Test func aClosedPipeEndsIt() {
    final class Closed: ByteSink {
      func write(_ bytes: [UInt8]) throws(OutputError) { throw .closed }
    }
    #expect(throws: OutputError.closed) {
      try ReportDocument(state: .sample, findings: []).writeLines(to: Closed())
    }
  }
}
