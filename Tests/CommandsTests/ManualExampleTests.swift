// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Commands

/// Every example of a manual page that begins with `$ ` runs on the samples, and the lines below it
/// stand in what it prints.
struct ManualExampleTests {
  struct Example: Sendable, CustomTestStringConvertible {
    var page: String
    var command: String
    /// Excerpts, blanks folded.
    var expected: [String]
    var testDescription: String { "\(page): \(command)" }
  }

  static let examples: [Example] = {
    let folder = URL(filePath: SampleTests.root + "man")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().flatMap { name in
      let bytes = (try? Data(contentsOf: folder.appending(path: name))) ?? Data()
      return Self.examples(String(decoding: bytes, as: UTF8.self), of: name)
    }
  }()

  private static func examples(_ text: String, of page: String) -> [Example] {
    var examples: [Example] = []
    var isOpen = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix(".fi") { isOpen = false }
      guard !line.hasPrefix(".") else { continue }
      let plain = line.replacing("\\-", with: "-").replacing("\\(aq", with: "'")
        .replacing("\\e", with: "\\")
      if plain.hasPrefix("$ iommuscope ") {
        isOpen = true
        examples.append(Example(page: page, command: String(plain.dropFirst(2)), expected: []))
      } else if isOpen, !plain.isEmpty, plain != "..." {
        examples[examples.count - 1].expected.append(folded(String(plain)))
      }
    }
    return examples
  }

  private static func folded(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// Words as a shell splits them, with single quotes.
  private static func words(_ command: String) -> [String] {
    var words: [String] = []
    var word: String?
    var isQuoted = false
    for character in command {
      if character == "'" {
        isQuoted.toggle()
        word = word ?? ""
      } else if character == " ", !isQuoted {
        if let word { words.append(word) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    return words + (word.map { [$0] } ?? [])
  }

  @Test func thereAreSome() {
    for page in ["iommuscope-report.1", "iommuscope-diff.1"] {
      #expect(Self.examples.contains { $0.page == page }, "\(page)")
    }
  }

  @Test(arguments: examples)
  func runs(_ example: Example) {
    let words = Self.words(example.command).dropFirst().map { word in
      word.hasPrefix("samples/") ? SampleTests.root + word : word
    }
    let run = SampleTests.run(Array(words))
    #expect(run.status == .done || run.status == .found, "\(run.errors)")
    let output = Self.folded(run.output.replacing(SampleTests.root, with: ""))
    for line in example.expected { #expect(output.contains(line), "\(line)") }
  }
}
