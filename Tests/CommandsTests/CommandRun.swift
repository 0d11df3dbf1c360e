// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Evidence
import Files
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
  let path: String

  init() throws(CommandFailure) {
    var template = Array("/tmp/iommuscope-tests-XXXXXX".utf8CString)
    // `template` ends with six X and a null, as the function demands.
    let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return false }
      return unsafe mkdtemp(base) != nil
    }
    guard made else { throw CommandFailure("no scratch directory") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in names { unsafe unlink("\(path)/\(name)") }
    unsafe rmdir(path)
  }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  func write(_ text: String, to name: String) {
    let descriptor = unsafe open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    try? DescriptorSink(OutputDescriptor(descriptor, name: name)).write(Array(text.utf8))
    close(descriptor)
  }

  func read(_ name: String) -> String? {
    let descriptor = unsafe open(file(name), O_RDONLY)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
      }
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk[..<count]
    }
  }

  func mode(of name: String) -> mode_t? {
    var status = stat()
    return unsafe stat(file(name), &status) == 0 ? status.st_mode & 0o777 : nil
  }

  /// Everything in the directory, sorted.
  var names: [String] {
    guard let directory = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      // The name is a string inside the entry, which lives until the next `readdir`.
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
