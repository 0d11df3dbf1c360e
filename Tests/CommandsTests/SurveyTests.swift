// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import MemoryFixtures
import Report
import Testing

@testable import Commands

/// Many dumps at once, on the samples.
struct SurveyTests {
  typealias Object = [String: Any]

  /// A folder with samples and other things in it; gone when `body` returns.
  private static func withFolder<R>(_ body: (URL) throws -> R) throws -> R {
    let own = try TestFolder()
    let folder = URL(filePath: own.path)
    let files = FileManager.default
    try files.createDirectory(atPath: own["host a/crash"], withIntermediateDirectories: true)
    func link(_ name: String, _ target: String) throws {
      try files.createSymbolicLink(atPath: own[name], withDestinationPath: target)
    }
    try link("host a/crash/vmcore", SampleTests.sample("6.1-legacy.vmcore"))
    try link("host a/copy.of.vmcore", SampleTests.sample("6.1-legacy.vmcore"))
    try link("scalable", SampleTests.sample("7.3-scalable.vmcore"))
    try link("loop", folder.path(percentEncoded: false))
    try link("dangling", "/nonexistent")
    try own.write("no dump".utf8, to: "vmcore-dmesg.txt")
    try own.write("KDUMP   but no more".utf8, to: "vmcore-incomplete")
    return try withExtendedLifetime(own) { try body(folder) }
  }

  private static func run(_ words: String...) -> (status: Outcome, output: String, errors: String) {
    SampleTests.run(["survey"] + words)
  }

  @Test func aFolderIsSearchedToItsEnds() throws {
    try Self.withFolder { folder in
      let path = folder.path(percentEncoded: false)
      let run = Self.run(path, "--format", "json")
      #expect(run.status == .done)
      let document = try #require(
        try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? Object)
      let dumps = try #require(document["dumps"] as? [Object])
      let names = dumps.compactMap { ($0["file"] as? String)?.dropFirst(path.count) }
      #expect(
        Set(names) == [
          "/host a/crash/vmcore", "/host a/copy.of.vmcore", "/scalable", "/dangling",
          "/vmcore-incomplete",
        ])
      #expect(document["others"] as? Int == 1)
      let failed = dumps.filter { $0["failure"] is Object }
      #expect(failed.count == 2)
      // Those that could not be judged come last.
      #expect(dumps.suffix(2).allSatisfy { $0["failure"] is Object })
      for dump in dumps.prefix(3) {
        #expect(dump["failure"] is NSNull)
        #expect((dump["units"] as? Object)?["count"] as? Int ?? 0 > 0)
        #expect((dump["crashKernel"] as? Object)?["answer"] is String)
      }
      let groups = try #require(document["groups"] as? [Object])
      #expect(groups.contains { ($0["kind"] as? String) == "same-crash" })
    }
  }

  /// What the process that reads a dump may do, and what the row says of it then.
  static let endings: [(script: String, said: String)] = [
    ("exit 3", "ended with status 3"), ("kill -9 $$", "ended by signal 9"),
    ("echo no row", "gave no answer"), ("sleep 60", "longer than 1 second"),
  ]

  @Test(arguments: endings.indices)
  func aProcessThatFailsIsARow(_ index: Int) throws {
    let scratch = try ScratchDirectory()
    scratch.write("#!/bin/sh\n\(Self.endings[index].script)\n", to: "program")
    #expect(unsafe chmod(scratch.file("program"), 0o755) == 0)
    let output = MemorySink()
    let status = Iommuscope.run(
      ["survey", SampleTests.sample("6.1-legacy.vmcore"), "--timeout", "1", "--format", "json"],
      in: Environment(
        standardOutput: output, standardError: MemorySink(), program: scratch.file("program")))
    #expect(status == .done || status == .failed)
    #expect(output.text.contains(Self.endings[index].said), "\(output.text)")
  }

  @Test func aProcessThatCannotBeStartedIsARow() {
    let output = MemorySink()
    _ = Iommuscope.run(
      ["survey", SampleTests.sample("6.1-legacy.vmcore"), "--format", "json"],
      in: Environment(
        standardOutput: output, standardError: MemorySink(), program: "/nonexistent/program"))
    #expect(output.text.contains("no process could be started"))
  }

  /// As lines, rows come in the order of the paths, and the groups behind them.
  @Test func linesHaveARowADump() throws {
    try Self.withFolder { folder in
      let path = folder.path(percentEncoded: false)
      let run = Self.run(path, "--format", "ndjson")
      let lines = try run.output.split(separator: "\n").map {
        try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Object)
      }
      let lists = lines.compactMap { $0["list"] as? String }
      // The copies of one crash, and all three crashes, which were made alike.
      #expect(
        lists == ["document"] + Array(repeating: "dumps", count: 5) + ["groups", "groups", "end"])
      #expect(lines.last?["lines"] as? Int == lines.count - 1)
      #expect(run.errors.contains("2 of 5 dumps could not be judged"))
    }
  }

  @Test func theTextHasALineADump() throws {
    try Self.withFolder { folder in
      let run = Self.run(folder.path(percentEncoded: false), "--quiet")
      let lines = run.output.split(separator: "\n")
      #expect(lines.allSatisfy { $0.utf8.count <= 100 })
      #expect(lines.count { $0.contains("6.1") && $0.contains("legacy") } == 2)
      #expect(lines.contains { $0.hasPrefix("One crash, saved 2 times") })
      #expect(lines.contains { $0.contains("vmcore-incomplete: ") })
      #expect(run.errors.isEmpty)
    }
  }

  @Test func aPathThatWasGivenIsAlwaysADump() {
    let run = Self.run(
      SampleTests.sample("README.md"), SampleTests.sample("6.1-legacy.vmcore"), "--format", "ndjson"
    )
    #expect(run.status == .done)
    #expect(run.output.contains("README.md"))
    #expect(run.output.contains("\"kind\":\"not-read\""))
  }

  @Test func nothingToJudgeIsAFailure() throws {
    #expect(Self.run("/nonexistent").status == .failed)
    #expect(Self.run(SampleTests.sample("README.md")).status == .failed)
    let run = try TestFolder.with { Self.run($0.path) }
    #expect(run.status == .failed)
    #expect(run.errors.contains("no dump found"))
  }

  @Test(arguments: [["--jobs", "0"], ["--timeout", "0"]])
  func wrongUsage(_ words: [String]) {
    #expect(SampleTests.run(["survey", "/tmp"] + words).status == .usage)
  }
}

/// Children that end in every way there is.
struct ProcessPoolTests {
  private static func endings(_ scripts: [String], jobs: Int = 2, timeout: Int = 30) throws
    -> [(ProcessPool.Ending, String)]
  {
    var endings = [(ProcessPool.Ending, String)?](repeating: nil, count: scripts.count)
    var pool = ProcessPool(program: "/bin/sh", jobs: jobs, timeout: timeout)
    pool.outputLimit = 100_000
    try pool.run(scripts.map { ["-c", $0] }) { index, ending, output in
      #expect(endings[index] == nil)
      endings[index] = (ending, String(decoding: output, as: UTF8.self))
    }
    return endings.compactMap(\.self)
  }

  @Test func everyChildIsAccountedFor() throws {
    let endings = try Self.endings([
      "echo one", "exit 3", "kill -9 $$", "echo two; exec sleep 0.1", "head -c 1000000 /dev/zero",
    ])
    #expect(endings.map(\.0) == [.exited(0), .exited(3), .signaled(9), .exited(0), .tooMuchOutput])
    #expect(endings[0].1 == "one\n")
    #expect(endings[3].1 == "two\n")
  }

  @Test func aChildThatTakesTooLongIsEnded() throws {
    let endings = try Self.endings(["exec sleep 100", "echo quick"], jobs: 2, timeout: 1)
    #expect(endings.map(\.0) == [.timedOut, .exited(0)])
  }

  @Test func aProgramThatCannotBeRun() throws {
    var endings: [ProcessPool.Ending] = []
    let pool = ProcessPool(program: "/nonexistent", jobs: 2, timeout: 1)
    try pool.run([[], []]) { _, ending, _ in endings.append(ending) }
    #expect(endings.count == 2)
    for ending in endings {
      guard case .notStarted = ending else {
        Issue.record("\(ending)")
        continue
      }
    }
  }

  @Test func whatIsThrownEndsTheRest() {
    struct Stop: Error {}
    let pool = ProcessPool(program: "/bin/sh", jobs: 2, timeout: 100)
    #expect(throws: Stop.self) {
      try pool.run([["-c", "exit"], ["-c", "exec sleep 100"]]) { _, _, _ in throw Stop() }
    }
  }
}
