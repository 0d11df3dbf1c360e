// SPDX-License-Identifier: Apache-2.0

import Glibc
import RemappingState
import Report
import StateFixtures
import Testing

@testable import Commands

/// What a terminal is given through a pager, and what it is told while it waits.
struct PagerTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var text: String
    var isPaged: Bool

    init(_ description: String, _ text: String, isPaged: Bool) {
      testDescription = description
      self.text = text
      self.isPaged = isPaged
    }
  }

  /// On a screen of 4 rows and 10 columns.
  static let cases = [
    Case("nothing", "", isPaged: false),
    Case("as long as the screen, but for the prompt", "1\n2\n3\n", isPaged: false),
    Case("longer", "1\n2\n3\n4\n", isPaged: true),
    Case("lines as wide as the screen", "1234567890\n2\n3\n", isPaged: false),
    Case("lines that are wider take more rows", "12345678901\n2\n3\n", isPaged: true),
    Case("colours take no room", "\u{1b}[31m12345\u{1b}[0m67890\n2\n3\n", isPaged: false),
    Case("characters of several bytes", "ääääääääää\n2\n3\n", isPaged: false),
  ]

  @Test(arguments: cases)
  func onlyWhatIsLongerThanTheScreen(_ test: Case) throws {
    let (terminal, pager) = (MemorySink(), MemorySink())
    let sink = PagedSink(.init(rows: 4, columns: 10), over: terminal) { pager }
    // In any pieces.
    for byte in test.text.utf8 { try sink.write([byte]) }
    sink.finish()
    #expect(terminal.text == (test.isPaged ? "" : test.text))
    #expect(pager.text == (test.isPaged ? test.text : ""))
  }

  @Test func withoutAPagerTheTerminalTakesAll() throws {
    let terminal = MemorySink()
    let sink = PagedSink(.init(rows: 1, columns: 10), over: terminal) { nil }
    try sink.write(Array("1\n2\n".utf8))
    try sink.write(Array("3\n".utf8))
    sink.finish()
    #expect(terminal.text == "1\n2\n3\n")
  }

  @Test func variablesNameThePager() {
    #expect(Pager.command(["PAGER": "more"]) == "more")
    #expect(Pager.command(["PAGER": "more", "IOMMUSCOPE_PAGER": "less -S"]) == "less -S")
    #expect(Pager.command(["PAGER": "more", "IOMMUSCOPE_PAGER": ""]) == nil)
    #expect(Pager.command(["PAGER": "cat"]) == nil)
    #expect(Pager.command(["PAGER": "more", "TERM": "dumb"]) == nil)
    #expect(Pager.command([:])?.contains("less") == true)
  }

  struct RealCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Shell words, behind which the file for the pager's text follows.
    var command: String
    var lines: Int
    var isPaged: Bool
  }

  static let realCases = [
    RealCase(testDescription: "long text", command: "cat >", lines: 5000, isPaged: true),
    RealCase(testDescription: "short text", command: "cat >", lines: 0, isPaged: false),
    RealCase(
      testDescription: "a pager that reads one line", command: "head -n 1 >", lines: 20_000,
      isPaged: true),
  ]

  /// The pager is a shell's command; it has ended when `finish` returns.
  @Test(arguments: realCases)
  func theShellRunsThePager(_ test: RealCase) throws {
    // As the program does.
    signal(SIGPIPE, SIG_IGN)
    let scratch = try ScratchDirectory()
    let pager = try #require(Pager(["PAGER": "\(test.command) \(scratch.file("text"))"]))
    let line = "a line of a result that is longer than any screen\n"
    do {
      for _ in 0..<test.lines { try pager.write(Array(line.utf8)) }
    } catch {
      // A pager that has seen enough closes its end.
      #expect(test.command.hasPrefix("head"))
    }
    pager.finish()
    let text = scratch.read("text")
    guard test.isPaged else {
      #expect(text == nil)
      return
    }
    #expect(text == String(repeating: line, count: test.command.hasPrefix("head") ? 1 : test.lines))
  }

  @Test func noPagerIsStartedWhereNoneIsWanted() { #expect(Pager(["PAGER": ""]) == nil) }

  /// A pager of which tests see what it was given.
  private final class Reader: PagerOutput {
    let sink = MemorySink()
    var hasFinished = false
    func write(_ bytes: [UInt8]) throws(OutputError) { try sink.write(bytes) }
    func finish() { hasFinished = true }
  }

  struct Line: Sendable, CustomTestStringConvertible {
    var words: [String]
    var isPaged: Bool
    var testDescription: String { words.joined(separator: " ") }
  }

  static let lines = [
    Line(words: ["report", "d"], isPaged: true),
    Line(words: ["history", "d"], isPaged: true),
    Line(words: ["schema", "report"], isPaged: true),
    Line(words: ["tables", "d", "--format", "debugfs"], isPaged: true),
    Line(words: ["report", "d", "--no-pager"], isPaged: false),
    Line(words: ["report", "d", "--format", "json"], isPaged: false),
    Line(words: ["tables", "d", "--format", "ndjson"], isPaged: false),
    Line(words: ["report", "d", "--output", "/dev/null/no"], isPaged: false),
    Line(words: ["report", "--help"], isPaged: false),
  ]

  @Test(arguments: lines)
  func textOnStandardOutputIsPaged(_ line: Line) {
    let reader = Reader()
    let output = MemorySink()
    var environment = Environment(
      standardOutput: output, standardError: MemorySink(),
      evidence: PreparedEvidence(state: .sample))
    environment.makePager = { reader }
    _ = Iommuscope.run(line.words, in: environment)
    #expect(reader.hasFinished == line.isPaged)
    #expect(reader.sink.text.isEmpty == !line.isPaged)
    if line.isPaged { #expect(output.text.isEmpty) }
  }

  @Test func progressWaitsUntilSomebodyWonders() {
    let errors = MemorySink()
    let line = ProgressLine(on: errors, after: 3_600_000_000_000)
    line.show("walking")
    line.clear()
    #expect(errors.text.isEmpty)
    line.write("a warning")
    #expect(errors.text == "a warning\n")
  }

  @Test func workThatSaysNothingMoreIsShownWhenItIsTime() async throws {
    let errors = MemorySink()
    let line = ProgressLine(on: errors, after: 20_000_000)
    line.show("opening")
    line.show("walking")
    for _ in 0..<500 where line.isHidden { try await Task.sleep(for: .milliseconds(10)) }
    line.clear()
    #expect(errors.text.hasPrefix("\rwalking"))
    #expect(errors.text.hasSuffix("\r"))
  }
}
