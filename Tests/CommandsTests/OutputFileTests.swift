// SPDX-License-Identifier: Apache-2.0

import Files
import Glibc
import Report
import StateFixtures
import Testing

@testable import Commands

struct OutputFileTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  @Test func writesTheSameAsStandardOutput() {
    let run = CommandRun("report", "d", "--format", "json", "--output", directory.file("r.json"))
    #expect(run.status == .done)
    #expect(run.output.isEmpty)
    #expect(directory.read("r.json") == CommandRun("report", "d", "--format", "json").output)
    #expect(directory.names == ["r.json"])
  }

  @Test func replacesAFileAndKeepsItsMode() {
    directory.write("old", to: "r")
    #expect(unsafe chmod(directory.file("r"), 0o640) == 0)
    #expect(CommandRun("schema", "report", "-o", directory.file("r")).status == .done)
    #expect(directory.read("r") == ReportDocument.jsonSchema)
    #expect(directory.mode(of: "r") == 0o640)
  }

  @Test func givesANewFileTheUsualMode() throws {
    directory.write("", to: "usual")
    #expect(CommandRun("schema", "report", "-o", directory.file("r")).status == .done)
    #expect(try #require(directory.mode(of: "r")) & ~0o022 == 0o644 & ~0o022)
  }

  @Test func replacesWhatALinkLeadsTo() {
    directory.write("old", to: "target")
    #expect(unsafe symlink("target", directory.file("link")) == 0)
    #expect(CommandRun("schema", "report", "-o", directory.file("link")).status == .done)
    #expect(directory.read("target") == ReportDocument.jsonSchema)
    #expect(directory.names == ["link", "target"])
  }

  @Test func leavesTheOldFileWhereTheNewOneFails() throws {
    directory.write("old", to: "r")
    do {
      let file = try OutputFile(directory.file("r"), keeping: [])
      try file.output.write(Array("half".utf8))
    }
    #expect(directory.read("r") == "old")
    #expect(directory.names == ["r"])
  }

  @Test func neverOverwritesTheDump() {
    directory.write("dump", to: "vmcore")
    #expect(unsafe link(directory.file("vmcore"), directory.file("other-name")) == 0)
    let run = CommandRun(
      "report", directory.file("vmcore"), "-o", directory.file("other-name"))
    #expect(run.status == .failed)
    #expect(
      run.errors
        == "iommuscope: cannot write \(directory.file("other-name")): it is the input file"
        + " \(directory.file("vmcore"))\n")
    #expect(directory.read("vmcore") == "dump")
  }

  @Test func extractsReplaceNeitherTheirDumpNorADevice() {
    directory.write("dump", to: "vmcore")
    let path = directory.file("vmcore")
    #expect(
      CommandRun("extract", path, "-o", path).errors
        == "iommuscope: cannot write \(path): it is the input file \(path)\n")
    #expect(
      CommandRun("extract", path, "-o", "/dev/null").errors
        == "iommuscope: cannot write /dev/null: it is not a regular file\n")
    #expect(
      CommandRun("extract", path, "-o", directory.path).errors
        == "iommuscope: cannot write \(directory.path): it is a directory\n")
  }

  @Test func namesWhatCannotBeWritten() {
    let inDirectory = CommandRun("schema", "report", "-o", directory.path)
    #expect(inDirectory.status == .failed)
    #expect(
      inDirectory.errors == "iommuscope: cannot write \(directory.path): it is a directory\n")
    let nowhere = CommandRun("schema", "report", "-o", directory.file("no/such/file"))
    #expect(nowhere.status == .failed)
    #expect(nowhere.errors.hasSuffix("no/such/file: No such file or directory\n"))
  }

  @Test func writesToADeviceDirectly() {
    #expect(CommandRun("schema", "report", "-o", "/dev/null").status == .done)
    let full = CommandRun("schema", "report", "-o", "/dev/full")
    #expect(full.status == .failed)
    #expect(full.errors == "iommuscope: cannot write /dev/full: No space left on device\n")
  }

  @Test func aClosedPipeIsToldFromOtherErrors() throws {
    var ends: [Int32] = [-1, -1]
    #expect(unsafe pipe(&ends) == 0)
    close(ends[0])
    signal(SIGPIPE, SIG_IGN)
    #expect(throws: OutputError.closed) {
      try DescriptorSink(OutputDescriptor(ends[1], name: "pipe")).write([1, 2, 3])
    }
    close(ends[1])
    #expect(throws: OutputError.failed("cannot write pipe: Bad file descriptor")) {
      try DescriptorSink(OutputDescriptor(-1, name: "pipe")).write([1, 2, 3])
    }
  }
}
