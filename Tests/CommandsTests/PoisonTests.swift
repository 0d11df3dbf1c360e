// SPDX-License-Identifier: Apache-2.0

import Foundation
import MemoryFixtures
import RemappingState
import Report
import StateFixtures
import Testing

@testable import Commands

/// Text that a terminal, a browser or a program would obey, in every place that a file or an argument
/// brings text from, against every output of every verb.
struct PoisonTests {
  /// What must not come out as it went in.
  static let poison =
    "\u{1b}[2J\u{9b}31m\r\u{7f}\u{202e}\u{2066}\u{2028}\"'</script>\u{0}\\ \u{feff}"

  /// The sample with its names replaced, byte for byte in the file.
  private static let dump: (bytes: [UInt8], replaced: [String]) = {
    var data =
      (try? Data(contentsOf: URL(filePath: SampleTests.sample("6.1-legacy.vmcore")))) ?? Data()
    var replaced: [String] = []
    // Each as long as what it stands for.
    let changes: [(place: String, old: String, new: String)] = [
      ("unit", "dmar0\0", "\u{1b}[\u{9b}\r\0"), ("driver", "\0pcieport\0", "\0</scrip>\0"),
      ("driver", "\0xhci_hcd\0", "\0\u{202e}\"'\u{1b}[m\0"),
      ("panic", "sysrq triggered crash", "\u{1b}[2J\u{9b}m\r\u{7f}\u{202e}</script>"),
      ("release", "OSRELEASE=6.1.0-56-amd64", "OSRELEASE=6.1.0\u{1b}[7m\u{9b}\u{9b}x"),
      ("release", "release 6.1.0-56-amd64", "release 6.1.0\u{1b}[7m\u{9b}\u{9b}x"),
      ("log", "Virtualization Technology", "\u{1b}]0;title\u{7}\u{9b}\u{202e}</b>\u{1b}[5m\rx"),
      ("command line", "intel_iommu=on ", "intel_iommu=\u{9b} "),
    ]
    for (place, old, new) in changes {
      precondition(old.utf8.count == new.utf8.count, "\(place)")
      while let range = data.range(of: Data(old.utf8)) {
        data.replaceSubrange(range, with: Data(new.utf8))
        if replaced.last != place { replaced.append(place) }
      }
    }
    return (Array(data), replaced)
  }()

  /// Every form of every verb that has forms, with what it needs besides the dump.
  private static func lines(_ dump: String) throws -> [[String]] {
    struct Help: Decodable {
      struct Command: Decodable {
        struct Argument: Decodable {
          struct Name: Decodable { var name: String }
          var names: [Name]?
          var allValues: [String]?
        }
        var commandName: String
        var arguments: [Argument]?
        var subcommands: [Command]?
      }
      var command: Command
    }
    let help = SampleTests.run(["--experimental-dump-help"]).output
    let root = try JSONDecoder().decode(Help.self, from: Data(help.utf8)).command
    let clean = SampleTests.sample("6.1-legacy.vmcore")
    let fault =
      "DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0xdead000 "
      + "[fault reason 0x06] \(poison.filter { $0 != "\0" }) PTE Read access is not set"
    let forms: [String: [[String]]] = [
      "report": [["--limit", "0"], ["--device", "00:02.0"]], "inherit": [[], ["--limit", "0"]],
      "diff": [[clean], [dump]], "translate": [["--device", "00:02.0", "0xffefa000"]],
      "owners": [["0x2f98f000"]], "faults": [[], ["--line", fault]],
      "tables": [["--interrupts", "--limit", "0"], ["--device", "00:02.0"]], "history": [[]],
      "carve": [[]],
    ]
    var lines: [[String]] = []
    for command in root.subcommands ?? [] {
      let formats =
        command.arguments?.first { $0.names?.contains { $0.name == "format" } ?? false }?.allValues
        ?? []
      for more in forms[command.commandName] ?? [] {
        for format in formats {
          if format == "debugfs", more.contains("--device") || more.contains("--interrupts") {
            lines.append([command.commandName, dump, "--format", format])
          } else {
            lines.append([command.commandName, dump] + more + ["--format", format])
          }
        }
      }
    }
    return lines
  }

  /// Characters that steer what shows them; line feeds are the program's own.
  private func leaks(_ text: String, _ line: [String]) -> Set<UInt32> {
    let isDebugfs = line.contains("debugfs")
    return Set(
      text.unicodeScalars.lazy.filter { scalar in
        if scalar == "\n" || scalar == "\t" && isDebugfs { return false }
        // Most of an output, and quickly told.
        if (" "..."~").contains(scalar) { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
          return true
        default: return false
        }
      }.map(\.value))
  }

  @Test func `a poisoned dump leaks into no output of any verb`() throws {
    #expect(
      Self.dump.replaced == [
        "unit", "driver", "panic", "release", "log", "command line",
      ])
    try withTestFile(Self.dump.bytes, named: "vm\u{1b}[2J\u{202e}core") { path in
      for line in try Self.lines(path) {
        let run = SampleTests.run(line)
        #expect(run.status != .usage, "\(line): \(run.errors)")
        #expect(leaks(run.output, line).isEmpty, "\(line)")
        #expect(leaks(run.errors, line).isEmpty, "\(line)")
        if line.last == "html" {
          // The page's own scripts and styles are closed once each.
          #expect(!run.output.contains("</scrip>"), "\(line)")
        }
        if line.last == "text" { #expect(run.output.utf8.allSatisfy { $0 < 0x80 }, "\(line)") }
      }
    }
  }

  /// Every string of a report that may be any text, found by trying.
  ///
  /// - Parameter only: the places to try; by default all.
  private static func poisoned(
    _ text: String, only: Set<String>? = nil
  ) throws -> (report: [UInt8], count: Int) {
    let sink = MemorySink()
    let state = RemappingState.sample
    try ReportDocument(
      state: state, findings: [Finding(rule: "domain.shared-page", severity: .info, message: "m")]
    ).writeJSON(to: sink)
    let clean = try JSONSerialization.jsonObject(with: Data(sink.bytes))
    func paths(_ value: Any, _ path: String) -> Set<String> {
      switch value {
      case let object as [String: Any]:
        object.reduce(into: []) { $0.formUnion(paths($1.value, path + "/" + $1.key)) }
      case let array as [Any]:
        array.reduce(into: []) { $0.formUnion(paths($1, path + "/*")) }
      case is String: [path]
      default: []
      }
    }
    func replace(_ value: Any, _ path: String, in wanted: Set<String>) -> Any {
      switch value {
      case let object as [String: Any]:
        object.reduce(into: [String: Any]()) {
          $0[$1.key] = replace($1.value, path + "/" + $1.key, in: wanted)
        }
      case let array as [Any]: array.map { replace($0, path + "/*", in: wanted) }
      case is String where wanted.contains(path): text
      default: value
      }
    }
    var accepted: Set<String> = []
    for path in (only ?? paths(clean, "")).sorted() {
      let changed = replace(clean, "", in: [path])
      let bytes = Array(try JSONSerialization.data(withJSONObject: changed))
      if (try? ReportReader.document(bytes)) != nil { accepted.insert(path) }
    }
    let all = replace(clean, "", in: accepted)
    return (Array(try JSONSerialization.data(withJSONObject: all)), accepted.count)
  }

  @Test func `a poisoned report leaks into no output`() throws {
    let (report, count) = try Self.poisoned(Self.poison)
    // Names, releases, messages, details, reasons: what is no enumeration and no address.
    #expect(count > 20)
    let document = try ReportReader.document(report)
    let text = MemorySink()
    try TextReport(limit: nil).write(document, to: text)
    #expect(leaks(text.text, []).isEmpty)
    #expect(text.bytes.allSatisfy { $0 < 0x80 })
    let json = MemorySink()
    try document.writeJSON(to: json)
    #expect(leaks(json.text, []).isEmpty)
    let other = try Self.poisoned("another \(Self.poison)").report
    try withTestFile(report, named: "old.json") { old in
      try withTestFile(other, named: "new.json") { new in
        for form in [["text", "--limit", "0"], ["json"]] {
          let run = SampleTests.run(["diff", old, new, "--format"] + form)
          #expect(run.status == .found, "\(run.errors)")
          #expect(leaks(run.output, []).isEmpty, "\(form)")
        }
      }
    }
  }

  @Test func `a mebibyte in place of a name costs no more than its length`() throws {
    let (report, count) = try Self.poisoned(
      String(repeating: "\u{1b}x ", count: 1 << 18),
      only: ["/dump/panic", "/dump/release", "/findings/*/message"])
    #expect(count == 3)
    let clock = ContinuousClock()
    let took = try clock.measure {
      let document = try ReportReader.document(report)
      let text = MemorySink()
      try TextReport(limit: 1).write(document, to: text)
      #expect(leaks(text.text, []).isEmpty)
    }
    // A debug build on a loaded machine.
    #expect(took < .seconds(200))
  }

  @Test func `poisoned arguments leak into no message`() throws {
    let sample = SampleTests.sample("6.1-legacy.vmcore")
    let poison = Self.poison.filter { $0 != "\0" }
    try withTestFile(Array("ffffffff81000000 T \(poison)\n".utf8)) { map in
      let lines: [[String]] = [
        [poison], ["report", poison], ["report", sample, poison],
        ["report", sample, "--\(poison)"],
        ["report", sample, "--device", poison], ["report", sample, "--sections", poison],
        ["report", sample, "--types", poison], ["report", sample, "--symbols", poison],
        ["report", sample, "--vmlinux", poison], ["report", sample, "--symbols", map],
        ["report", sample, "--output", "/nonexistent/\(poison)"],
        ["report", sample, "--max-entries", poison],
        ["translate", sample, "--device", poison, "0x0"],
        ["translate", sample, "--device", "00:02.0", poison], ["owners", sample, poison],
        ["owners", sample, "0x0", "--root", poison], ["faults", sample, "--line", poison],
        ["faults", sample, "--lines", poison], ["faults", sample, "--of", poison],
        ["inherit", sample, "--crash-drivers", poison],
        ["inherit", sample, "--crash-command-line", poison],
        ["inherit", sample, "--crash-reservation", poison],
        ["inherit", sample, "--policy", "live-update", "--preserved", poison],
        ["history", sample, "--last", poison], ["tables", sample, "--file", poison],
        ["diff", poison, sample], ["schema", poison],
        ["extract", sample, "--output", poison + "/x"],
      ]
      for line in lines {
        let run = SampleTests.run(line)
        #expect(leaks(run.errors, line).isEmpty, "\(line): \(run.errors)")
        #expect(leaks(run.output, line).isEmpty, "\(line)")
      }
    }
  }
}
