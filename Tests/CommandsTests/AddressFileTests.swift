// SPDX-License-Identifier: Apache-2.0

import Commands
import MemoryFixtures
import Testing

/// Addresses that a file lists.
struct AddressFileTests {
  private static let sample = SampleTests.sample("6.1-legacy.vmcore")

  @Test func `a file's addresses are answered like those of the command line`() throws {
    let given = SampleTests.run([
      "owners", Self.sample, "0x20d76000", "0x1000000-0x1001fff", "0x0", "--format", "json",
    ])
    #expect(given.status == .done)
    // Blanks, tabs, empty lines, line ends of other systems, and no line end at the end.
    let text = "0x20d76000\t 0x1000000-0x1001fff\r\n\n\n0x0"
    try withTestFile(Array(text.utf8), named: "list") { path in
      let listed = SampleTests.run([
        "owners", Self.sample, "--addresses", path, "--format", "json",
      ])
      #expect(listed.status == .done)
      #expect(listed.output == given.output)
    }
  }

  @Test func `what is no address is named with its line`() throws {
    try withTestFile(Array("0x1000 0x2000\n\n0x3000 nonsense\n".utf8), named: "list") {
      path in
      let run = SampleTests.run(["owners", Self.sample, "--addresses", path])
      #expect(run.status == .failed)
      #expect(run.output.isEmpty)
      #expect(run.errors.contains("list, line 3: "))
      #expect(run.errors.contains("nonsense"))
    }
    let missing = SampleTests.run(["owners", Self.sample, "--addresses", "/nonexistent/list"])
    #expect(missing.status == .failed)
    #expect(missing.errors.contains("/nonexistent/list"))
  }

  @Test func `a dump that is surveyed alone is its row`() {
    let run = SampleTests.run(["survey", "--alone", "--quiet", "--", Self.sample])
    #expect(run.status == .done)
    #expect(run.output.contains("\"release\": \"6.1.0-56-amd64\""))
    #expect(run.output.contains("\"failure\": null"))
    let none = SampleTests.run(["survey", "--alone", "--quiet", "--", "/nonexistent/dump"])
    #expect(none.status == .done)
    #expect(none.output.contains("No such file"))
  }

  @Test(arguments: [["--limit", "-1"], ["--limit=-1"], ["--max-entries=-1"], ["--max-output=-5"]])
  func `a limit below nothing is wrong usage`(words: [String]) {
    let run = SampleTests.run(["owners", Self.sample, "0x0"] + words)
    #expect(run.status == .usage)
    #expect(run.errors.contains(words[0].split(separator: "=")[0]))
  }

  @Test func `what is neither an address nor a file is wrong usage`() {
    let run = SampleTests.run(["owners", Self.sample, "0x0", "/nonexistent/part"])
    #expect(run.status == .usage)
    #expect(run.errors.contains("/nonexistent/part"))
    // A file that is another dump is none of this one's parts.
    let other = SampleTests.run([
      "owners", Self.sample, "0x0", SampleTests.sample("7.3-scalable.vmcore"),
    ])
    #expect(other.status == .failed)
    #expect(other.output.isEmpty)
  }

  @Test func `a file of registers that holds none is named`() throws {
    let report = SampleTests.run(["report", Self.sample, "--format", "json"])
    for bytes in [Array(report.output.utf8), Array("nonsense".utf8)] {
      try withTestFile(bytes, named: "registers.json") { path in
        let run = SampleTests.run(["report", Self.sample, "--registers", path])
        #expect(run.status == .failed)
        #expect(run.output.isEmpty)
        #expect(run.errors.contains("registers.json"))
      }
    }
  }
}
