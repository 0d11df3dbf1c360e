// SPDX-License-Identifier: Apache-2.0

import MemoryFixtures
import Testing

@testable import Report

/// A JSON value to be laid out.
indirect enum Tree {
  case scalar(String)
  case number(Int64)
  case word(UInt64)
  case array([Tree])
  case object([(String, Tree)])

  func write(to writer: JSONWriter) {
    switch self {
    case .scalar(let text): writer.string(text)
    case .number(let number): writer.integer(number)
    case .word(let word): writer.hexadecimal(word)
    case .array(let items):
      writer.openArray()
      for item in items { item.write(to: writer) }
      writer.close()
    case .object(let members):
      writer.openObject()
      for (key, value) in members {
        writer.key(key)
        value.write(to: writer)
      }
      writer.close()
    }
  }
}

/// The layout as its rule says it, without a thought of speed.
private struct Layout {
  private(set) var text = ""
  private var column: Int {
    text.utf8.count
      - (text.utf8.lastIndex(of: 10).map {
        text.utf8.distance(from: text.utf8.startIndex, to: $0) + 1
      } ?? 0)
  }

  init(_ tree: Tree) { write(tree, 0) }

  private mutating func write(_ tree: Tree, _ depth: Int) {
    guard isContainer(tree) else {
      text += joined(tree)
      return
    }
    if !hasObject(tree), column + width(tree) < 100 {
      text += joined(tree)
      return
    }
    let indent = "\n" + String(repeating: "  ", count: depth + 1)
    switch tree {
    case .array(let items):
      text += "["
      var lastIsScalar = false
      for (index, item) in items.enumerated() {
        if index > 0 { text += "," }
        let isScalar = !isContainer(item)
        if isScalar, lastIsScalar, column + joined(item).utf8.count + 2 <= 100 {
          text += " "
        } else {
          text += indent
        }
        write(item, depth + 1)
        lastIsScalar = isScalar
      }
      if !items.isEmpty { text += "\n" + String(repeating: "  ", count: depth) }
      text += "]"
    case .object(let members):
      text += "{"
      for (index, (key, value)) in members.enumerated() {
        if index > 0 { text += "," }
        text += indent + "\"\(key)\": "
        write(value, depth + 1)
      }
      if !members.isEmpty { text += "\n" + String(repeating: "  ", count: depth) }
      text += "}"
    default: break
    }
  }

  private func isContainer(_ tree: Tree) -> Bool {
    switch tree {
    case .array, .object: true
    default: false
    }
  }

  private func children(_ tree: Tree) -> [Tree] {
    switch tree {
    case .array(let items): items
    case .object(let members): members.map(\.1)
    default: []
    }
  }

  private func hasObject(_ tree: Tree) -> Bool {
    children(tree).contains { child in
      if case .object = child { true } else { hasObject(child) }
    }
  }

  private func joined(_ tree: Tree) -> String {
    switch tree {
    case .scalar(let text): "\"\(text)\""
    case .number(let number): "\(number)"
    case .word(let word): "\"0x\(String(word, radix: 16))\""
    case .array(let items): "[" + items.map(joined).joined(separator: ", ") + "]"
    case .object(let members):
      "{" + members.map { "\"\($0.0)\": \(joined($0.1))" }.joined(separator: ", ") + "}"
    }
  }

  private func width(_ tree: Tree, isOuter: Bool = true) -> Int {
    switch tree {
    case .array(let items):
      items.reduce(isOuter ? 2 : 3) { $0 + width($1, isOuter: false) }
    case .object(let members):
      members.reduce(2) { $0 + $1.0.utf8.count + 4 + width($1.1, isOuter: false) }
    default: joined(tree).utf8.count + 2
    }
  }
}

/// What is written as a whole document.
func writtenJSON(_ body: (JSONWriter) -> Void) throws -> String {
  let sink = MemorySink()
  let writer = JSONWriter(sink)
  body(writer)
  try writer.finish()
  return sink.text
}

struct JSONWriterTests {
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
    #expect(try writtenJSON { $0.string(value) } == expected + "\n")
    // And reads it back.
    #expect(try JSONReader(Array(expected.utf8)).string() == value)
  }

  @Test(
    arguments: [
      0, 1, 9, 10, 0xf, 0x10, 99, 100, 0x1234_5678, 0x1_2345_6789, 0xfedc_ba98_7654_3210,
      9_999_999_999_999_999_999, 10_000_000_000_000_000_000, .max,
    ] as [UInt64])
  func writesNumbersAndWords(_ value: UInt64) throws {
    #expect(try writtenJSON { $0.integer(value) } == "\(value)\n")
    #expect(try writtenJSON { $0.hexadecimal(value) } == "\"0x\(String(value, radix: 16))\"\n")
    let signed = Int64(bitPattern: value)
    #expect(try writtenJSON { $0.integer(signed) } == "\(signed)\n")
    #expect(try JSONReader(Array("\(value)".utf8)).integer(UInt64.self) == value)
    #expect(try JSONReader(Array("\(signed)".utf8)).integer(Int64.self) == signed)
  }

  @Test func everyWidthOfWord() throws {
    for shift in 0..<64 as Range<UInt64> {
      let bit: UInt64 = 1 << shift
      for value: UInt64 in [bit, bit &- 1, 0x9f0a_5b6c_7d8e_1234 >> shift] {
        #expect(try writtenJSON { $0.hexadecimal(value) } == "\"0x\(String(value, radix: 16))\"\n")
      }
    }
  }

  /// The layout agrees with its rule on random documents, at every nesting and width.
  @Test(arguments: 0..<300 as Range<UInt64>) func laysOutByTheRule(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    func tree(_ depth: Int) -> Tree {
      switch Int.random(in: 0...(depth > 5 ? 3 : 8), using: &random) {
      case 0, 1:
        .scalar(String(repeating: "x", count: Int.random(in: 0...60, using: &random)))
      case 2: .number(Int64.random(in: -99999...99999, using: &random))
      case 3: .word(UInt64.random(in: 0...UInt64.max >> 20, using: &random))
      case 4, 5, 6:
        .array((0..<Int.random(in: 0...9, using: &random)).map { _ in tree(depth + 1) })
      default:
        .object(
          (0..<Int.random(in: 0...5, using: &random)).map { number in
            (
              "key\(number)"
                + String(repeating: "k", count: Int.random(in: 0...30, using: &random)),
              tree(depth + 1)
            )
          })
      }
    }
    let value = Tree.object([("a", tree(0)), ("b", tree(1)), ("c", .array([tree(2), tree(1)]))])
    #expect(try writtenJSON { value.write(to: $0) } == Layout(value).text + "\n", "seed \(seed)")
  }

  /// Chunks that go to the sink in the middle of a line leave no trace.
  @Test func longDocumentsAreTheSameInChunks() throws {
    final class CountingSink: ByteSink {
      var bytes: [UInt8] = []
      var writes = 0
      func write(_ chunk: [UInt8]) throws(OutputError) {
        bytes += chunk
        writes += 1
      }
    }
    var random = SeededGenerator(seed: 7)
    let rows = (0..<20_000).map { _ in
      Tree.object([
        ("iova", .word(UInt64.random(in: 0...UInt64.max, using: &random))),
        ("physical", .word(UInt64.random(in: 0...UInt64.max, using: &random))),
        ("list", .array([.number(1), .number(22)])),
      ])
    }
    let sink = CountingSink()
    let writer = JSONWriter(sink)
    Tree.array(rows).write(to: writer)
    try writer.finish()
    #expect(sink.writes > 3)
    // Every row is laid out by itself, so a short document of the same rows has the same lines.
    var lines = String(decoding: sink.bytes, as: UTF8.self).split(separator: "\n")[...]
    #expect(lines.popFirst() == "[" && lines.popLast() == "]")
    for part in stride(from: 0, to: rows.count, by: 100) {
      let alone = try writtenJSON { Tree.array(Array(rows[part..<(part + 100)])).write(to: $0) }
      for line in alone.split(separator: "\n").dropFirst().dropLast() {
        let whole = lines.popFirst()
        #expect(whole == line || whole.map(String.init) == line + ",")
      }
    }
    #expect(lines.isEmpty)
  }

  final class FailingSink: ByteSink {
    func write(_ bytes: [UInt8]) throws(OutputError) { throw .closed }
  }

  @Test func passesOnTheSinksError() {
    let writer = JSONWriter(FailingSink())
    let rows = Array(repeating: [1, 2, 3], count: 100_000)
    rows.write(to: writer)
    #expect(writer.hasFailed)
    #expect(throws: OutputError.closed) { try writer.finish() }
  }
}
