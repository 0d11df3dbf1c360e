// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Report

/// What becomes of every character, for each place where text goes.
struct EscapingTests {
  /// Every scalar that there is.
  private static var scalars: String {
    var text = ""
    for value in 0...0x10ffff as ClosedRange<UInt32> {
      if let scalar = Unicode.Scalar(value) { text.unicodeScalars.append(scalar) }
    }
    return text
  }

  @Test func `nothing but printable ASCII comes to a terminal`() {
    let line = Escaping.terminal(Self.scalars)
    #expect(line.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f })
    let lines = Escaping.terminalLines(Self.scalars)
    #expect(lines.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f || $0 == 0x0a || $0 == 0x09 })
    #expect(Escaping.terminal("a\\b\u{1b}[2J\u{9b}\r") == "a\\\\b\\u{1b}[2J\\u{9b}\\r")
    #expect(Escaping.terminalLines("a\n\t\u{202e}b") == "a\n\t\\u{202e}b")
  }

  @Test func `JSON strings are read back as they were, and steer nothing`() throws {
    let bytes = Escaping.json(Self.scalars)
    let read = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
    #expect(read as? String == Self.scalars)
    #expect(String(decoding: bytes, as: UTF8.self).unicodeScalars.allSatisfy { $0.isPrintable })
  }

  @Test func `HTML has no markup and nothing that cannot be seen`() {
    let text = String(decoding: Escaping.html(Self.scalars), as: UTF8.self)
    #expect(text.unicodeScalars.allSatisfy { $0.isPrintable })
    #expect(!text.contains { "<>\"'".contains($0) })
    #expect(
      String(decoding: Escaping.html("</script><img src=x onerror='a()'>&"), as: UTF8.self)
        == "&lt;/script&gt;&lt;img src=x onerror=&#39;a()&#39;&gt;&amp;")
  }

  @Test(
    arguments: [
      ("6.1.0-56-amd64", "6.1.0-56-amd64"), ("../../etc/passwd", "_._.._etc_passwd"),
      ("", "_"), (".", "_"), ("..", "_."), ("-rf", "_rf"), ("a/b\0c\n", "a_b_c_"),
      ("caf\u{e9}", "caf_"),
    ])
  func `a file's name is one component`(_ text: String, _ name: String) {
    #expect(Escaping.fileName(text) == name)
    #expect(Escaping.fileName(String(repeating: text, count: 500)).utf8.count <= 128)
  }
}
