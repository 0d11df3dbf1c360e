// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Evidence
import Files
import Foundation
import Glibc
import MemoryFixtures
import RemappingState
import Report
import Session
import StateFixtures

@testable import Commands

/// One command line run against a prepared state, and everything it said.
struct CommandRun {
  var status: Outcome
  var output: String
  var errors: String

  init(
    _ line: String..., state: RemappingState? = .sample, outputIsTerminal: Bool = false,
    errorIsTerminal: Bool = false, variables: [String: String] = [:],
    standardOutput: (any ByteSink)? = nil
  ) {
    let output = MemorySink()
    let errors = MemorySink()
    status = Iommuscope.run(
      line,
      in: Environment(
        standardOutput: standardOutput ?? output, standardError: errors,
        outputIsTerminal: outputIsTerminal, errorIsTerminal: errorIsTerminal, variables: variables,
        evidence: PreparedEvidence(state: state)))
    self.output = output.text
    self.errors = errors.text
  }
}

/// Answers every request with the same state, or with an error.
struct PreparedEvidence: EvidenceSource {
  var state: RemappingState?

  func evidence(
    of request: DumpRequest, below roots: [RootTable], progress: any SessionProgress
  ) throws(SessionError) -> DumpEvidence {
    progress.progress("reading \(request.files.joined(separator: " "))")
    progress.detail("request \(request.files) \(request.vmlinux ?? "-") \(request.types)")
    guard let state else {
      throw SessionError(
        request.name,
        .dump(DumpError("cannot read \(request.name)", .notADump, "no\u{1b}such file")))
    }
    return DumpEvidence(state: state, memory: SyntheticMemory([:]))
  }
}

/// Fails after some bytes, as a pipe or a full disk does.
final class BrokenSink: ByteSink {
  private let error: OutputError

  init(_ error: OutputError) { self.error = error }

  func write(_ bytes: [UInt8]) throws(OutputError) { throw error }
}

/// A directory of its own that goes away with the test.
final class ScratchDirectory {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  var path: String { folder.path }

  func file(_ name: String) -> String { folder[name] }

  func write(_ text: String, to name: String) {
    _ = try? folder.write(text.utf8, to: name)
  }

  func read(_ name: String) -> String? {
    FileManager.default.contents(atPath: file(name)).map { String(decoding: $0, as: UTF8.self) }
  }

  func mode(of name: String) -> mode_t? {
    var status = stat()
    return unsafe stat(file(name), &status) == 0 ? status.st_mode & 0o777 : nil
  }

  /// Everything in the directory, sorted.
  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }
}
