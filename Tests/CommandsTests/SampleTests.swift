// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Foundation
import MemoryFixtures
import Report
import Session
import Testing

@testable import Commands

/// The whole program on the samples and on files that are no dumps.
struct SampleTests {
  /// The repository's root.
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path()

  static func sample(_ name: String) -> String { root + "samples/" + name }

  /// Runs a command line on real files.
  static func run(_ arguments: [String]) -> (status: Outcome, output: String, errors: String) {
    let output = MemorySink()
    let errors = MemorySink()
    let status = Iommuscope.run(
      arguments,
      in: Environment(standardOutput: output, standardError: errors))
    return (status, output.text, errors.text)
  }

  // MARK: What is no dump

  @Test func aMissingFileIsNamed() {
    let run = Self.run(["report", "/nonexistent/vmcore"])
    #expect(run.status == .failed)
    #expect(run.output.isEmpty)
    #expect(run.errors.contains("/nonexistent/vmcore"))
    #expect(run.errors.contains("No such file"))
  }

  @Test(
    arguments: [
      ("an empty file", [], "empty"),
      ("a text file", Array("DMAR: nothing\n".utf8), "text"),
      ("gzip data", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], "the gzip data are damaged"),
    ] as [(String, [UInt8], String)])
  func aFileThatIsNoDumpSaysWhatItIs(_ name: String, _ bytes: [UInt8], _ hint: String) throws {
    try withTestFile(bytes) { path in
      let run = Self.run(["report", path])
      #expect(run.status == .failed)
      #expect(run.errors.contains(path) && run.errors.contains(hint), "\(name): \(run.errors)")
    }
  }

  @Test func anotherArchitectureIsRefused() throws {
    var builder = ELFDumpBuilder(.random(seed: 1))
    builder.machine = 183  // AArch64
    try withTestFile(builder.build()) { path in
      let run = Self.run(["report", path])
      #expect(run.status == .failed)
      #expect(run.errors.contains("x86_64"))
    }
  }

  @Test func aVmlinuxOfAnotherBuildIsRefusedWithBothBuildIDs() {
    let run = Self.run([
      "report", Self.sample("6.1-legacy.vmcore"), "--vmlinux", Self.sample("5.10-types.debug"),
    ])
    #expect(run.status == .failed)
    #expect(run.errors.contains("ad88061a5204bed40b632d94429548b7975f22e4"))
    #expect(run.errors.contains("eb4fbcd037e7253717950bf2b93bd5566f47c56f"))
  }

  @Test func inputFilesAreReadWholeOrRefused() throws {
    try withTestFile(Array("not a map\n".utf8), named: "System.map") { path in
      #expect(throws: CommandFailure.self) { _ = try CommandFiles.bytes(path + ".missing") }
      let bytes = try CommandFiles.bytes(path)
      #expect(bytes == Array("not a map\n".utf8))
    }
  }

  @Test func halfADumpEndsInWordsOrInAPartialReport() throws {
    let whole = try CommandFiles.bytes(Self.sample("6.1-legacy.vmcore"))
    for numerator in [1, 2, 3] {
      try withTestFile(Array(whole.prefix(whole.count / 4 * numerator))) { path in
        let run = Self.run(["report", path])
        #expect(run.status == .done || run.status == .failed)
        if run.status == .failed {
          #expect(run.errors.contains(path))
        } else {
          #expect(run.output.contains("WHAT IS MISSING"))
        }
      }
    }
  }

  // MARK: Samples

  @Test(arguments: [
    (["6.1-legacy.vmcore"], "6.1.0-56-amd64"), (["7.3-scalable.vmcore"], "7.3.4+deb13-amd64"),
    (["5.10-legacy.vmcore"], "5.10.0-32-amd64"),
  ])
  func theSampleReports(_ files: [String], _ release: String) {
    let run = Self.run(["report"] + files.map(Self.sample))
    #expect(run.status == .done)
    #expect(run.errors.isEmpty)
    #expect(run.output.contains(release))
    for line in run.output.split(separator: "\n") { #expect(line.count <= 100) }
  }

  @Test func dwarfAndBTFGiveOneReport() {
    let sample = Self.sample("5.10-legacy.vmcore")
    let btf = Self.run(["report", sample, "--format", "json"])
    let dwarf = Self.run([
      "report", sample, "--format", "json", "--vmlinux", Self.sample("5.10-types.debug"),
    ])
    #expect(btf.status == .done && dwarf.status == .done)
    #expect(btf.output != dwarf.output)
    #expect(
      btf.output.replacing("\"typesFrom\": \"btf\"", with: "\"typesFrom\": \"dwarf\"")
        == dwarf.output)
  }

  @Test(arguments: ["6.1-legacy.vmcore", "7.3-scalable.vmcore"])
  func anExtractOfAnExtractReportsTheSame(_ name: String) throws {
    let original = Self.run(["report", Self.sample(name), "--format", "json"])
    try withTestFile([]) { path in
      let again = path + "-again"
      let extract = Self.run(["extract", Self.sample(name), "--output", again])
      #expect(extract.status == .done)
      let report = Self.run(["report", again, "--format", "json"])
      #expect(
        report.output.replacing(again, with: "X")
          == original.output.replacing(Self.sample(name), with: "X"))
    }
  }

  @Test(arguments: ["6.1-legacy.vmcore", "7.3-scalable.vmcore"])
  func aCompressedExtractIsASmallerOneOfTheSame(_ name: String) throws {
    try withTestFile([]) { path in
      let plain = Self.run(["extract", Self.sample(name), "--output", path + "-plain"])
      let packed = path + ".gz"
      let run = Self.run(["extract", Self.sample(name), "--compress", "--output", packed])
      #expect(plain.status == .done && run.status == .done)
      #expect(run.output.contains("compressed") && !plain.output.contains("compressed"))
      let bytes = try Data(contentsOf: URL(filePath: packed))
      #expect(bytes.starts(with: [0x1f, 0x8b]))
      let whole = try Data(contentsOf: URL(filePath: path + "-plain")).count
      #expect(bytes.count * 2 < whole)
      // The size that is printed is the file's.
      #expect(run.output.contains("\(bytes.count) bytes"))
      let again = path + "-again.gz"
      _ = Self.run(["extract", Self.sample(name), "--compress", "--output", again])
      #expect(try Data(contentsOf: URL(filePath: again)) == bytes)
      let report = Self.run(["report", packed, "--format", "json"])
      let original = Self.run(["report", Self.sample(name), "--format", "json"])
      #expect(
        report.output.replacing(packed, with: "X")
          == original.output.replacing(Self.sample(name), with: "X"))
    }
  }

  @Test(arguments: [("6.1-legacy.vmcore", ""), ("7.3-scalable.vmcore", ",scalable")])
  func theImageOfACopyIsReadLikeADump(_ name: String, _ mode: String) throws {
    try withTestFile([]) { path in
      let image = path + "-image"
      let inherit = Self.run([
        "inherit", Self.sample(name), "--policy", "full-copy", "--image", image,
      ])
      #expect(inherit.status == .done)
      // The first GiB boundary above the machine's memory, but not below 4 GiB.
      let root = "0x100000000" + mode
      let address = ["--device", "00:03.0", "0xfed1c000"]
      let tables = Self.run(["tables", image, "--root", root])
      #expect(tables.status == .done)
      #expect(tables.output.contains("0000:00:03.0") || tables.output.contains("00:03.0"))
      let copied = Self.run(["translate", image, "--root", root] + address)
      let original = Self.run(["translate", Self.sample(name)] + address)
      #expect(copied.status == .done && original.status == .done)
      let ending = original.output.split(separator: "\n").first { $0.contains("=> physical") }
      #expect(ending != nil)
      #expect(copied.output.split(separator: "\n").first { $0.contains("=> physical") } == ending)
    }
  }
}
