// SPDX-License-Identifier: Apache-2.0

import Evidence
import Foundation
import MemoryFixtures
import RemappingState
import StateFixtures
import Testing

@testable import Commands

/// Dumps of kernels of whose structures nothing is known: VMCOREINFO still describes the log.
struct LogWithoutTypesTests {
  /// A sample whose BTF cannot be read.
  private static func blunted(_ sample: String) throws -> Data {
    var bytes = try Data(contentsOf: URL(filePath: SampleTests.sample(sample)))
    // The header of version 1, with 24 or, since Linux 7, 32 bytes.
    for length in [24, 32] as [UInt8] {
      let header = Data([0x9f, 0xeb, 1, 0, length, 0, 0, 0])
      while let place = bytes.range(of: header) {
        bytes.replaceSubrange(place, with: Data(count: header.count))
      }
    }
    return bytes
  }

  /// The value of a key of the report's first level, `dump` among them.
  private static func values(_ path: String, _ keys: [String]) throws -> [String] {
    let run = SampleTests.run(["report", path, "--format", "json"])
    #expect(run.status == .done, "\(run.errors)")
    let document = try #require(
      JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    let dump = try #require(document["dump"] as? [String: Any])
    return try keys.map { key in
      let value = try #require(dump[key] ?? document[key], "\(key)")
      let text = try JSONSerialization.data(withJSONObject: [value], options: .sortedKeys)
      return String(decoding: text, as: UTF8.self)
    }
  }

  @Test(arguments: ["5.10-legacy.vmcore", "6.1-legacy.vmcore", "7.3-scalable.vmcore"])
  func `the log tells the same as with types`(_ sample: String) throws {
    let whole = SampleTests.sample(sample)
    try withTestFile(try Self.blunted(sample)) { path in
      let keys = ["panic", "faults", "startUp", "release", "crashTime"]
      let (found, expected) = (try Self.values(path, keys), try Self.values(whole, keys))
      #expect(found == expected)
      #expect(found.first == #"["sysrq triggered crash"]"#)
      let types = try Self.values(path, ["typesFrom"])
      #expect(types == ["[null]"])
      let run = SampleTests.run(["faults", path])
      #expect(run.status == .done, "\(run.errors)")
      #expect(run.output == SampleTests.run(["faults", whole]).output)
    }
  }

  /// Root tables alone, without a kernel: no log was read, and none is called empty.
  @Test func `a log that nobody found is an error`() {
    let evidence = DumpEvidence(state: .sample, memory: SyntheticMemory([:]))
    #expect(throws: CommandFailure.self) { try evidence.faultLog() }
  }

  @Test func `a capture writes what needs no structures`() throws {
    let folder = try ScratchDirectory()
    try withTestFile(try Self.blunted("6.1-legacy.vmcore")) { path in
      let run = SampleTests.run([
        "capture", path, "--output-directory", folder.path + "/out", "--max-memory", "64G",
        "--time-limit", "3600",
      ])
      #expect(run.status == .failed)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.path + "/out").sorted()
          == ["faults.txt", "report.json", "summary.txt"])
      for name in ["inherit.json", "extract.vmcore"] {
        #expect(
          run.errors.contains("\(name) was not written: the kernel's structures cannot be read"))
      }
      let faults = try String(contentsOfFile: folder.path + "/out/faults.txt", encoding: .utf8)
      #expect(
        faults == SampleTests.run(["faults", SampleTests.sample("6.1-legacy.vmcore")]).output)
      let summary = try String(contentsOfFile: folder.path + "/out/summary.txt", encoding: .utf8)
      #expect(summary.contains("panic             sysrq triggered crash"))
    }
  }
}
