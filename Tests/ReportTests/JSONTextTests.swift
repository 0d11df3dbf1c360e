// SPDX-License-Identifier: Apache-2.0

import Report
import Testing

struct JSONTextTests {
  private func text(_ value: some Encodable) throws -> String {
    let sink = MemorySink()
    try JSONTextEncoder().encode(value, to: sink)
    return sink.text
  }

  @Test(arguments: [
    ("plain", #""plain""#),
    ("quote \" and \\", #""quote \" and \\""#),
    ("\n\r\t", #""\n\r\t""#),
    ("\u{0}\u{1b}[31m\u{7f}\u{9b}", ##""\u0000\u001b[31m\u007f\u009b""##),
    ("\u{202e}abc\u{2066}", ##""\u202eabc\u2066""##),
    ("\u{2028}\u{2029}\u{feff}", ##""\u2028\u2029\ufeff""##),
    ("é 漢 🐧", #""é 漢 🐧""#),
    // A plane-14 tag and a private character need a surrogate pair.
    ("\u{e0041}\u{f0000}", ##""\udb40\udc41\udb80\udc00""##),
    (String(decoding: [0x61, 0xff, 0xed, 0xa0, 0x80] as [UInt8], as: UTF8.self), "\"a����\""),
  ])
  func escapesWhatATerminalOrAParserWouldObey(_ value: String, _ expected: String) throws {
    #expect(try text(value) == expected + "\n")
  }

  struct Everything: Codable, Equatable {
    var flag: Bool? = nil
    var text: String? = nil
    var double: Double? = nil
    var float: Float? = nil
    var int: Int? = nil
    var int8: Int8? = nil
    var int16: Int16? = nil
    var int32: Int32? = nil
    var int64: Int64? = nil
    var uint: UInt? = nil
    var uint8: UInt8? = nil
    var uint16: UInt16? = nil
    var uint32: UInt32? = nil
    var uint64: UInt64? = nil
    var list: [Int]? = nil
    var object: Inner? = nil

    struct Inner: Codable, Equatable { var z = 1, a = 2 }
  }

  @Test func writesEveryKeyInDeclarationOrderAndNilAsNull() throws {
    let lines = try text(Everything()).split(separator: "\n")
    #expect(
      lines.dropFirst().dropLast().map { $0.drop { $0 == " " } } == [
        "\"flag\": null,", "\"text\": null,", "\"double\": null,", "\"float\": null,",
        "\"int\": null,", "\"int8\": null,", "\"int16\": null,", "\"int32\": null,",
        "\"int64\": null,", "\"uint\": null,", "\"uint8\": null,", "\"uint16\": null,",
        "\"uint32\": null,", "\"uint64\": null,", "\"list\": null,", "\"object\": null",
      ])
  }

  @Test func writesEveryKindOfValue() throws {
    let all = Everything(
      flag: true, text: "t", double: -1.5, float: 0.25, int: -1, int8: -2, int16: -3, int32: -4,
      int64: .min, uint: 1, uint8: 2, uint16: 3, uint32: 4, uint64: .max, list: [], object: .init())
    let result = try text(all)
    for expected in [
      "\"flag\": true", "\"double\": -1.5", "\"float\": 0.25", "\"int64\": -9223372036854775808",
      "\"uint64\": 18446744073709551615", "\"list\": []", "\"object\": {\"z\": 1, \"a\": 2}",
    ] { #expect(result.contains(expected)) }
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity])
  func refusesNumbersThatJSONDoesNotHave(_ value: Double) {
    #expect(throws: EncodingError.self) { try text([value]) }
  }

  struct Node: Encodable {
    var name: String
    var words: [Int]
    var children: [Node]
  }

  @Test func keepsFlatThingsOnOneLineAndBreaksTheRest() throws {
    let tree = Node(
      name: "root", words: [1, 2, 3],
      children: [
        Node(name: "a", words: [], children: []), Node(name: "b", words: [4], children: []),
      ])
    #expect(
      try text(tree) == """
        {
          "name": "root",
          "words": [1, 2, 3],
          "children": [
            {"name": "a", "words": [], "children": []},
            {"name": "b", "words": [4], "children": []}
          ]
        }

        """)
  }

  @Test func fillsTheLinesOfALongArrayOfScalars() throws {
    let result = try text(["numbers": Array(1000...1040)])
    #expect(
      result == """
        {
          "numbers": [
            1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015,
            1016, 1017, 1018, 1019, 1020, 1021, 1022, 1023, 1024, 1025, 1026, 1027, 1028, 1029, 1030, 1031,
            1032, 1033, 1034, 1035, 1036, 1037, 1038, 1039, 1040
          ]
        }

        """)
  }

  /// Uses every container function by hand, nested ones included.
  struct ByHand: Encodable {
    enum Key: String, CodingKey {
      case a
      case b
      case c
    }

    func encode(to encoder: any Encoder) throws {
      var outer = encoder.container(keyedBy: Key.self)
      var list = outer.nestedUnkeyedContainer(forKey: .a)
      try list.encodeNil()
      var inner = list.nestedContainer(keyedBy: Key.self)
      try inner.encode(1, forKey: .a)
      var deep = list.nestedUnkeyedContainer()
      try deep.encode("x")
      // Going on with an outer container ends the ones inside it.
      try list.encode(true)
      try outer.encodeNil(forKey: .b)
      try outer.encode([String: Int](), forKey: .c)
    }
  }

  @Test func followsContainersThatAreNestedByHand() throws {
    #expect(
      try text(ByHand()) == """
        {
          "a": [
            null,
            {"a": 1},
            ["x"],
            true
          ],
          "b": null,
          "c": {}
        }

        """)
  }

  @Test(arguments: 90...110) func neverExceedsTheLineWhereItCanBreak(_ width: Int) throws {
    let name = String(repeating: "n", count: width - 40)
    let result = try text(Node(name: name, words: [1, 22, 333], children: []))
    #expect(result.split(separator: "\n").allSatisfy { $0.utf8.count <= 100 })
    #expect(try text(Node(name: name, words: [1, 22, 333], children: [])) == result)
  }

  final class FailingSink: ByteSink {
    func write(_ bytes: [UInt8]) throws(OutputError) { throw .closed }
  }

  @Test func passesOnTheSinksError() {
    #expect(throws: OutputError.closed) {
      try JSONTextEncoder().encode(Array(repeating: [1, 2, 3], count: 100_000), to: FailingSink())
    }
  }
}
