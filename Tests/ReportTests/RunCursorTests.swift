// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import Testing

@testable import Report

/// Runs that are read at once are those that are read field by field.
struct RunCursorTests {
  /// Field by field, and where the reader stands then.
  private func slowly(_ text: String) -> (run: Run?, place: Int) {
    let reader = JSONReader(Array(text.utf8))
    guard let blank = Run.blank, reader.take(UInt8(ascii: "{")) else { return (nil, 0) }
    var fields = RowReader(reader, blank)
    Run.describe(&fields)
    return ((try? fields.finish()), reader.position)
  }

  private static let plain =
    #"{"iova": "0x1000", "length": "0x2000", "physical": "0xfffffffffffff000", "access": "rw"}"#

  static let sound: [String] = [
    plain, "  \n" + plain, plain.replacing("rw", with: "r"), plain.replacing("rw", with: "w"),
    plain.replacing("1000", with: "0"), plain.replacing("1000", with: "9a"), plain + ", {",
  ]

  static let others: [String] = [
    "", "{", "{}", "null", "[" + plain,
    // Sound, and left to the other reader.
    plain.replacing(" ", with: ""), plain.replacing(":", with: "\t:\r\n "),
    plain.replacing("}", with: "\n   }"),
    plain.replacing("0x1000", with: "0x00000000000001000"),
    plain.replacing("0x1000", with: "0X1000"), plain.replacing("fff000", with: "FFF000"),
    plain.replacing("}", with: #", "more": 1}"#),
    plain.replacing(#""iova": "0x1000", "#, with: "").replacing("}", with: #", "iova": "0x5"}"#),
    plain.replacing("iova", with: #"\u0069ova"#),
    // Wrong.
    plain.replacing("0x1000", with: "0x"), plain.replacing("0x1000", with: "1000"),
    plain.replacing("0x1000", with: "0x12345678901234567"), plain.replacing("0x1000", with: "0x1g"),
    plain.replacing("0x1000", with: "0x1:"),
    plain.replacing("rw", with: "wr"), plain.replacing("rw", with: ""),
    plain.replacing("rw", with: "rwx"), plain.replacing(#"access"#, with: "acces"),
    plain.replacing(#", "length": "0x2000""#, with: ""), plain.replacing("}", with: "]"),
    plain.replacing("}", with: ","), plain.replacing(#""0x2000""#, with: "8192"),
  ]

  @Test(arguments: sound) func isReadAtOnce(_ text: String) throws {
    let reader = JSONReader(Array(text.utf8))
    let run = try #require(Run.readAtOnce(from: reader))
    let expected = slowly(text)
    #expect(run == expected.run)
    #expect(reader.position == expected.place)
  }

  @Test(arguments: others) func isLeftToTheOtherReader(_ text: String) {
    let reader = JSONReader(Array(text.utf8))
    #expect(Run.readAtOnce(from: reader) == nil)
    #expect(reader.position == 0)
    #expect((try? Run.read(from: JSONReader(Array(text.utf8)))) == slowly(text).run)
  }

  /// A run that ends anywhere is no run, whatever follows in memory.
  @Test func endsAnywhere() {
    for length in 0..<Self.plain.utf8.count {
      let reader = JSONReader(Array(Self.plain.utf8.prefix(length)))
      #expect(Run.readAtOnce(from: reader) == nil)
      #expect(throws: JSONReadingError.self) { try Run.read(from: reader) }
    }
  }
}
