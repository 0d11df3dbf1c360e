// SPDX-License-Identifier: Apache-2.0

import Foundation
import MemoryFixtures
import Testing

@testable import Commands

/// Every example of a manual page, and of the tour, that begins with `$ ` runs on the samples, and the lines below it
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
    let root = URL(filePath: SampleTests.root)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path + "/man")) ?? []
    let pages = names.sorted().map { "man/" + $0 } + ["Documentation/Tour.md"]
    return pages.flatMap { page in
      let bytes = (try? Data(contentsOf: root.appending(path: page))) ?? Data()
      let name = page.split(separator: "/").last.map(String.init) ?? page
      return Self.examples(String(decoding: bytes, as: UTF8.self), of: name)
    }
  }()

  private static func examples(_ text: String, of page: String) -> [Example] {
    var examples: [Example] = []
    var isOpen = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if [".fi", ".Ed", "```"].contains(where: line.hasPrefix) { isOpen = false }
      guard !line.hasPrefix("."), !line.hasPrefix("```") else { continue }
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
    for verb in [
      "report", "diff", "faults", "owners", "translate", "tables", "carve", "history", "inherit",
      "extract",
    ] {
      let page = "iommuscope-\(verb).1"
      #expect(Self.examples.contains { $0.page == page }, "\(page)")
    }
    // The tour has a command for each of its questions, and each shows what is printed.
    let tour = Self.examples.filter { $0.page == "Tour.md" }
    #expect(tour.count >= 9)
    #expect(tour.count { !$0.expected.isEmpty } >= 9)
  }

  @Test(arguments: examples)
  func runs(_ example: Example) throws {
    // What an example writes goes to a folder of its own.
    let folder = try TestFolder()
    let words = Self.words(example.command)
    let moved = words.indices.dropFirst().map { index in
      if words[index].hasPrefix("samples/") { return SampleTests.root + words[index] }
      let isNew =
        ["--output", "--image"].contains(words[index - 1]) && !words[index].hasPrefix("/")
      return isNew ? folder[words[index]] : words[index]
    }
    let run = SampleTests.run(moved)
    #expect(run.status == .done || run.status == .found, "\(run.errors)")
    let output = Self.folded(
      run.output.replacing(SampleTests.root, with: "").replacing(folder.path + "/", with: ""))
    for line in example.expected { #expect(output.contains(line), "\(line)") }
  }
}
