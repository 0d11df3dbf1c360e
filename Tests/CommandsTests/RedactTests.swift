// SPDX-License-Identifier: Apache-2.0

import Foundation
import MemoryFixtures
import Testing

@testable import Commands

/// `extract --redact`: what it must not hold, and what it still tells.
struct RedactTests {
  /// The host has a name of six letters there, in place of the samples' "(none)".
  private static let hostName = Array("whost7".utf8)

  /// Parts of the log, of command lines and of names that no redacted extract may hold.
  private static let words = [
    "whost7", "sysrq triggered crash", "DMAR: Host address width", "labnet=1", "labsave=",
    "no_timer_check", "Command line: console",
  ]

  private static func places(of text: String, in bytes: Data) -> [Range<Int>] {
    var places: [Range<Int>] = []
    var start = bytes.startIndex
    while let found = bytes.range(of: Data(text.utf8), in: start..<bytes.endIndex) {
      places.append(found)
      start = found.upperBound
    }
    return places
  }

  private static func count(_ text: String, in bytes: Data) -> Int {
    places(of: text, in: bytes).count
  }

  /// A sample on a host with a name.
  private static func named(_ sample: String) throws -> Data {
    var bytes = try Data(contentsOf: URL(filePath: SampleTests.sample(sample)))
    for place in places(of: "(none)", in: bytes) {
      bytes.replaceSubrange(place, with: hostName)
    }
    return bytes
  }

  /// The lines of a report but for those about its file.
  private static func report(_ path: String) -> [Substring] {
    let run = SampleTests.run(["report", path, "--format", "json"])
    #expect(run.status == .done, "\(run.errors)")
    return run.output.split(separator: "\n").filter {
      !$0.contains("\"file\":") && !$0.contains("\"format\":")
    }
  }

  @Test(arguments: ["6.1-legacy.vmcore", "7.3-scalable.vmcore"])
  func `nothing of the log, the command lines and the host's name is left`(
    _ sample: String
  ) throws {
    let folder = try TestFolder()
    func path(_ name: String) -> String { folder[name] }
    let original = try Self.named(sample)
    try folder.write(original, to: "original")
    // The test is of use only where there is something to leave out.
    let present = Self.words.filter { Self.count($0, in: original) > 0 }
    #expect(present.contains("whost7"))
    #expect(present.contains("sysrq triggered crash"))
    #expect(present.contains("labnet=1"))

    let run = SampleTests.run([
      "extract", path("original"), "--redact", "--output", path("first"),
    ])
    #expect(run.status == .done, "\(run.errors)")
    for text in ["left out:", "text of the kernel log:", "command lines:", "names of the host"] {
      #expect(run.output.contains(text), "\(text)")
    }
    let first = try Data(contentsOf: URL(filePath: path("first")))
    for word in Self.words {
      #expect(Self.count(word, in: first) == 0, "\(word)")
    }
    // The note says what was left out.
    for fact in ["fact redacted.log ", "fact redacted.command-line ", "fact redacted.host-name "] {
      #expect(Self.count(fact, in: first) == 1, "\(fact)")
    }

    // What it tells of remapping is the original's; what came from the log is unknown, not empty.
    let text = SampleTests.run(["report", path("first")]).output
    #expect(text.contains("it was redacted"))
    #expect(text.contains("the kernel's log could not be read"))
    let json = SampleTests.run(["report", path("first"), "--format", "json"]).output
    #expect(json.contains("\"panic\": null"))
    #expect(json.contains("\"commandLine\": null"))
    // The width of host addresses came from the log, too, and is not private: the note keeps it.
    let whole = SampleTests.run(["report", path("original"), "--format", "json"]).output
    let width = try #require(
      whole.split(separator: "\n").first { $0.contains("\"hostAddressWidth\": ") })
    #expect(json.contains(width))
    #expect(!json.contains("host address width"))
    for key in ["\"contexts\": [", "\"domains\": ["] { #expect(json.contains(key)) }
    func tables(_ path: String) -> String {
      SampleTests.run(["tables", path, "--format", "ndjson"]).output.split(separator: "\n")
        .filter { !$0.contains("\"file\"") }.joined(separator: "\n")
    }
    #expect(tables(path("first")) == tables(path("original")))

    // An extract of it says the same, whether it is redacted once more or not.
    for (name, more) in [("second", []), ("third", ["--redact"])] {
      let again = SampleTests.run(["extract", path("first"), "--output", path(name)] + more)
      #expect(again.status == .done, "\(again.errors)")
      #expect(Self.report(path(name)) == Self.report(path("first")))
    }
  }

  /// Without the option everything travels, and nothing is said to be left out.
  @Test func `nothing is left out unasked`() throws {
    try withTestFile(try Self.named("6.1-legacy.vmcore")) { original in
      let output = original + ".extract"
      let run = SampleTests.run(["extract", original, "--output", output])
      #expect(!run.output.contains("left out"))
      #expect(Self.report(output) == Self.report(original))
      let bytes = try Data(contentsOf: URL(filePath: output))
      #expect(Self.count("sysrq triggered crash", in: bytes) > 0)
    }
  }
}
