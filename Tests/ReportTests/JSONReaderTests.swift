// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

@testable import Report

/// Bytes, what is wrong with them, and where.
struct BadJSON: Sendable, CustomTestStringConvertible {
  var text: String
  var problem: JSONReadingError.Problem
  var offset: Int

  init(_ text: String, _ problem: JSONReadingError.Problem, at offset: Int) {
    self.text = text
    self.problem = problem
    self.offset = offset
  }

  var testDescription: String { String(text.prefix(50)) }
}

struct JSONReaderTests {
  static let report = #"{"schema": "iommuscope-report/1", "#

  static let broken: [BadJSON] = [
    BadJSON("", .truncated, at: 0),
    BadJSON("  ", .truncated, at: 2),
    BadJSON("{", .truncated, at: 1),
    BadJSON("[]", .wrongType(expected: "an object", found: "an array"), at: 0),
    BadJSON("null", .wrongType(expected: "an object", found: "null"), at: 0),
    BadJSON("\u{feff}{}", .wrongType(expected: "an object", found: "no JSON"), at: 0),
    BadJSON("{}", .missingKey("schema"), at: 1),
    BadJSON(#"{"schema": 1}"#, .wrongType(expected: "a string", found: "a number"), at: 11),
    BadJSON(
      #"{"schema": "iommuscope-report/2"}"#,
      .otherSchema(expected: "iommuscope-report/1", found: "iommuscope-report/2"), at: 11),
    BadJSON(
      #"{"units": [], "schema": "iommuscope-diff/1"}"#,
      .otherSchema(expected: "iommuscope-report/1", found: "iommuscope-diff/1"), at: 24),
    BadJSON(#"{"schema": "iommuscope-report/1"}"#, .missingKey("tool"), at: 1),
    BadJSON(report + #""tool": {"name": "x""#, .truncated, at: 54),
    BadJSON(report + #""x": 1, "x": 2}"#, .duplicateKey("x"), at: 42),
    BadJSON(report + #""tool": {"name": "a", "name": "b"}}"#, .duplicateKey("name"), at: 56),
    BadJSON(
      report + #""x": "# + String(repeating: "[", count: 200_000), .tooDeep(limit: 256), at: 295),
    BadJSON(
      report + #""x": 01}"#, .malformed(expected: "a number without leading zeros"), at: 39),
    BadJSON(report + #""x": 1.}"#, .malformed(expected: "a digit"), at: 41),
    BadJSON(report + #""x": tru}"#, .malformed(expected: "a value"), at: 39),
    BadJSON(report + "\"x\": \"\u{0}\"}", .badText, at: 40),
    BadJSON(report + #""x": "\ud800"}"#, .badText, at: 46),
    BadJSON(report + #""x": "\q"}"#, .malformed(expected: "an escape"), at: 41),
    BadJSON(report + #""x": "\u12g4"}"#, .malformed(expected: "four hexadecimal digits"), at: 44),
    BadJSON(report + "'x': 1}", .wrongType(expected: "a string", found: "no JSON"), at: 34),
  ]

  @Test(arguments: broken) func saysWhatIsWrongAndWhere(_ bad: BadJSON) {
    #expect {
      try ReportReader.document(Array(bad.text.utf8))
    } throws: { error in
      let error = error as? JSONReadingError
      return error?.problem == bad.problem && error?.offset == bad.offset
    }
  }

  @Test func boundsTheKeysOfOneObject() {
    let keys = (0...JSONReader.keyLimit).map { "\"k\($0)\": 0" }.joined(separator: ", ")
    #expect {
      try ReportReader.document(Array((Self.report + keys + "}").utf8))
    } throws: { error in
      (error as? JSONReadingError)?.problem == .tooManyKeys(limit: JSONReader.keyLimit)
    }
  }

  @Test(arguments: ["256", "-1", "99999999999999999999999999", "-99999999999999999999"])
  func numbersThatDoNotFit(_ text: String) {
    #expect {
      try JSONReader(Array(text.utf8)).integer(UInt8.self)
    } throws: { error in
      (error as? JSONReadingError)?.problem == .numberTooLarge
    }
  }

  @Test(arguments: ["1.5", "1e3", "1.0"]) func fractionsAreNoIntegers(_ text: String) {
    #expect(throws: JSONReadingError.self) { try JSONReader(Array(text.utf8)).integer(Int.self) }
  }

  @Test(
    arguments: [
      (#""0x0""#, 0), (#""0xffffffffffffffff""#, .max), (#""0X1F""#, 0x1f), (#" "0x001""#, 1),
    ] as [(String, UInt64)])
  func words(_ text: String, _ value: UInt64) throws {
    #expect(try JSONReader(Array(text.utf8)).hexadecimal() == value)
  }

  @Test(arguments: [
    #""0x""#, #""1f""#, #""0x1g""#, #""0x10000000000000000""#, #""0x1"#, #""""#, "17", "null",
    #""0"#,
    #""+0x1""#,
  ])
  func noWords(_ text: String) {
    #expect(throws: JSONReadingError.self) { try JSONReader(Array(text.utf8)).hexadecimal() }
  }

  @Test(arguments: [
    "0", "-0", "1.5e+10", "[]", "{}", #"[{"a": [1, {"b": null}]}, "x", true]"#,
    #"{"a": {}, "b": []}"#,
  ])
  func skipsOneValue(_ text: String) throws {
    let reader = JSONReader(Array((text + " , 1").utf8))
    try reader.skipValue()
    #expect(reader.position == text.utf8.count)
  }
}
