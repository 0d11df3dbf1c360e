// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Commands

/// `capture` on a sample: each file is what the verb of its kind prints.
struct CaptureTests {
  private let folder: ScratchDirectory
  private static let sample = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../samples/6.1-legacy.vmcore").standardizedFileURL.path()

  init() throws { folder = try ScratchDirectory() }

  private func text(_ name: String) throws -> String {
    try String(contentsOfFile: folder.path + "/out/in/" + name, encoding: .utf8)
  }

  @Test func `writes what the verbs print`() throws {
    let run = SampleTests.run([
      "capture", Self.sample, "--output-directory", folder.path + "/out/in", "--max-memory", "64G",
      "--time-limit", "3600",
    ])
    #expect(run.status == .done, "\(run.errors)")
    let names = ["summary.txt", "faults.txt", "report.json", "inherit.json", "extract.vmcore"]
    #expect(run.output == names.map { folder.path + "/out/in/\($0)\n" }.joined())
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path + "/out/in").sorted()
        == names.sorted())
    #expect(
      try text("report.json")
        == SampleTests.run(["report", Self.sample, "--format", "json"]).output)
    #expect(
      try text("inherit.json")
        == SampleTests.run(["inherit", Self.sample, "--format", "json"]).output)
    #expect(try text("faults.txt") == SampleTests.run(["faults", Self.sample]).output)
    #expect(try text("summary.txt").hasPrefix("SUMMARY\n"))
    // The extract is a dump like the one that it was made of.
    let extract = SampleTests.run([
      "diff", Self.sample, folder.path + "/out/in/extract.vmcore",
    ])
    #expect(extract.status == .done, "\(extract.output)")
  }

  @Test func `what cannot be written is told, and the rest is written`() throws {
    try FileManager.default.createDirectory(
      atPath: folder.path + "/out/in/report.json", withIntermediateDirectories: true)
    let run = SampleTests.run([
      "capture", Self.sample, "--output-directory", folder.path + "/out/in", "--max-memory", "64G",
      "--time-limit", "3600",
    ])
    #expect(run.status == .failed)
    #expect(run.errors.contains("report.json was not written"))
    #expect(run.output.contains("extract.vmcore"))
    #expect(!run.output.contains("report.json"))
  }

  @Test func `a folder that cannot be made is told`() throws {
    let run = SampleTests.run([
      "capture", Self.sample, "--output-directory", "/proc/nothing", "--max-memory", "64G",
      "--time-limit", "3600",
    ])
    #expect(run.status == .failed)
    #expect(run.errors.contains("/proc/nothing"))
  }

  // MARK: Registers

  /// QEMU's form: offsets and values, with a fault record where CAP (FRO 0x22) says.
  private static let words = """
    {"0x8": "0x80d2008c222f0606", "0x10": "0xf00f4a", "0x18": "0xc700000000000000",
     "0x20": "0x12345000", "0x30": "0x200000000",
     "0x220": "0x41a6aa000", "0x228": "0xc000000500000020"}
    """

  @Test func `registers beside a dump, in both forms`() throws {
    let file = folder.path + "/regs.json"
    try Self.words.write(toFile: file, atomically: true, encoding: .utf8)
    let first = SampleTests.run(["report", Self.sample, "--registers", file, "--format", "json"])
    #expect(first.status == .done, "\(first.errors)")
    for text in [
      "\"rootTable\": \"0x12345000\"", "\"device\": \"0000:00:04.0\"", "\"reason\": \"0x5\"",
      "\"address\": \"0x41a6aa000\"", "\"isWrite\": false", "\"unit\": \"dmar0\"",
    ] {
      #expect(first.output.contains(text), "\(text)")
    }
    // A report that was written so gives them back.
    let report = folder.path + "/report.json"
    try first.output.write(toFile: report, atomically: true, encoding: .utf8)
    let second = SampleTests.run([
      "report", Self.sample, "--registers", report, "--format", "json",
    ])
    #expect(second.output == first.output)
    let text = SampleTests.run([
      "report", Self.sample, "--registers", report, "--sections", "units",
    ]).output
    #expect(text.contains("0x12345000, legacy mode; not the root table above"))
    #expect(text.contains("a fault record is pending"))
    #expect(text.contains("0000:00:04.0, read of 0x41a6aa000: reason 0x5"))
  }

  @Test(arguments: ["{}", "[]", "{\"0x8\": 5}", "{\"0x8\": \"zero\"}", ""])
  func `what is no register file is told`(_ text: String) throws {
    let file = folder.path + "/regs.json"
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    let run = SampleTests.run(["report", Self.sample, "--registers", file])
    #expect(run.status == .failed)
    #expect(run.errors.contains(file))
  }
}
