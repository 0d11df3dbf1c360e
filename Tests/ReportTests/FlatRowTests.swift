// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import Testing

@testable import Report

/// Flat rows have the layout of every other row.
struct FlatRowTests {
  /// A list of rows below `depth` objects, each row decided by itself.
  private func slowly<Row: FlatRow>(_ rows: [Row], depth: Int) throws -> String {
    try nested(depth) { writer in
      writer.openArray()
      for row in rows {
        writer.openObject()
        row.writeMembers(to: writer)
        writer.close()
      }
      writer.close()
    }
  }

  private func nested(_ depth: Int, _ list: (JSONWriter) -> Void) throws -> String {
    try writtenJSON { writer in
      for _ in 0..<depth {
        writer.openObject()
        writer.key("inner")
      }
      list(writer)
      for level in 0..<depth {
        writer.key("behind")
        writer.integer(level)
        writer.close()
      }
    }
  }

  /// Words of every width, so that rows of both forms follow each other.
  private func word(_ random: inout SeededGenerator) -> UInt64 {
    UInt64.random(in: 0...UInt64.max, using: &random) >> UInt64.random(in: 0...63, using: &random)
  }

  @Test(arguments: 0..<20) func runsStandAsTheRuleSays(_ depth: Int) throws {
    var random = SeededGenerator(seed: UInt64(depth))
    let rows = (0..<120).map { _ in
      Run(
        iova: IOVirtualAddress(word(&random)), length: HexWord(word(&random)),
        physical: PhysicalAddress(word(&random)),
        access: Access.allCases.randomElement(using: &random) ?? .read)
    }
    let quickly = try nested(depth) { rows.write(to: $0) }
    #expect(try quickly == slowly(rows, depth: depth))
    // Both forms were there.
    if depth < 11 {
      #expect(quickly.contains("{\"iova\"") && quickly.contains("{\n"))
    }
  }

  @Test(arguments: 0..<20) func rangesStandAsTheRuleSays(_ depth: Int) throws {
    var random = SeededGenerator(seed: UInt64(depth))
    for count in [0, 1, 2, 60] {
      let rows = (0..<count).map { _ in
        IOVARange(
          start: IOVirtualAddress(word(&random)), end: IOVirtualAddress(word(&random)),
          state: IOVARange.State.allCases.randomElement(using: &random) ?? .live)
      }
      let quickly = try nested(depth) { rows.write(to: $0) }
      #expect(try quickly == slowly(rows, depth: depth))
    }
  }

  /// Members that a line has no room for are left to the other writer.
  @Test(arguments: [1, 2, 4, 5, 8, 20]) func largeRowsAreWrittenTheOtherWay(_ count: Int) throws {
    var random = SeededGenerator(seed: UInt64(count))
    let rows = (0..<50).map { _ in
      WideRow(words: (0..<count).map { _ in HexWord(word(&random)) })
    }
    let quickly = try nested(1) { rows.write(to: $0) }
    #expect(try quickly == slowly(rows, depth: 1))
    #expect(quickly.count(where: { $0 == "x" }) == 50 * count)
  }

  /// A sink that fails ends the list, and is told of.
  @Test func theSinksErrorEndsTheList() {
    let writer = JSONWriter(JSONWriterTests.FailingSink())
    let row = Run(
      iova: IOVirtualAddress(0), length: 1, physical: PhysicalAddress(0), access: .read)
    Array(repeating: row, count: 100_000).write(to: writer)
    #expect(writer.hasFailed)
    #expect(throws: OutputError.closed) { try writer.finish() }
  }

  /// Nothing that is written as a flat row holds an object or a list.
  @Test func flatRowsAreFlat() {
    func isScalar(_ form: Form) -> Bool {
      switch form {
      case .array, .row, .map, .any: false
      case .nullable(let form): isScalar(form)
      case .either(let forms): forms.allSatisfy(isScalar)
      default: true
      }
    }
    func check<Row: FlatRow>(_ type: Row.Type) {
      var fields = FieldCollector<Row>(FormCatalogue())
      Row.describe(&fields)
      #expect(!fields.fields.isEmpty)
      for field in fields.fields { #expect(isScalar(field.form), "\(type).\(field.name)") }
    }
    check(Run.self)
    check(IOVARange.self)
    check(AddressRange.self)
  }
}

/// More words than a line takes.
private struct WideRow: FlatRow {
  static var rowName: String { "wideRow" }
  static var rowMeaning: String { "A row of a test." }

  var words: [HexWord]

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == WideRow {}

  func writeMembers(to writer: JSONWriter) {
    for word in words {
      writer.key("word")
      word.write(to: writer)
    }
  }

  func writeMembers(to line: inout RowLine) {
    for word in words { line.member("word", word) }
  }
}
