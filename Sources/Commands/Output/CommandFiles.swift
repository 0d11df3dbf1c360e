// SPDX-License-Identifier: Apache-2.0

internal import Files
internal import Report

/// Files that the command line names, with failures in the words of a command.
enum CommandFiles {
  /// All bytes of a file of modest size.
  static func bytes(_ path: String, limit: Int = 1 << 28) throws(CommandFailure) -> [UInt8] {
    try command { () throws(FileError) in
      guard path == "-" else { return try WholeFile.read(path, limit: limit) }
      var bytes: [UInt8] = []
      while case let more = try ByteInput.standard.next(), !more.isEmpty {
        bytes += more
        guard bytes.count <= limit else { throw FileError(path, .isTooLarge(limit: limit)) }
      }
      return bytes
    }
  }

  /// Whether the first sign in the file, which no dump begins with, opens a JSON object.
  ///
  /// A pipe cannot be looked at twice; what comes out of one is taken for JSON.
  static func looksLikeJSON(_ path: String) throws(CommandFailure) -> Bool {
    let head = try command { () throws(FileError) -> [UInt8]? in
      if path == "-" { return try ByteInput.standard.peek(512) }
      return try FileKind.of(path) == .folder ? [] : WholeFile.prefix(path, count: 512)
    }
    guard let head else { return true }
    let blanks = Array(" \t\r\n".utf8)
    return head.first { !blanks.contains($0) } == UInt8(ascii: "{")
  }

  /// Refuses a path that a new regular file must not take.
  static func checkNewFile(_ path: String, keeping inputs: [String]) throws(CommandFailure) {
    try command { () throws(FileError) in try OutputFile.checkNewFile(path, keeping: inputs) }
  }

  /// Refuses to go on where a file lost bytes while they were looked at.
  ///
  /// - Parameter inputs: whose length counts as well.
  static func checkInputs(_ inputs: [String]) throws(CommandFailure) {
    if let lost = FileMapping.lost { throw CommandFailure(lost.description) }
    for file in FileMapping.shortenedFiles where inputs.contains(file) {
      throw CommandFailure(FileError(file, .lostBytes).description)
    }
  }

  /// Lets `body` write the file at `path`, which appears whole or not at all; never over `inputs`.
  static func write(
    _ path: String, keeping inputs: [String], _ body: (any ByteSink) throws -> Void
  ) throws {
    let file = try command { () throws(FileError) in try OutputFile(path, keeping: inputs) }
    try body(DescriptorSink(file.output))
    try checkInputs(inputs)
    try command { () throws(FileError) in try file.commit() }
  }

  private static func command<Result>(
    _ body: () throws(FileError) -> Result
  ) throws(CommandFailure) -> Result {
    do {
      return try body()
    } catch {
      switch error.cause {
      case .isDirectory: throw CommandFailure("cannot write \(error.path): it is a directory")
      case .isNotRegular:
        throw CommandFailure("cannot write \(error.path): it is not a regular file")
      default: throw CommandFailure(error.description)
      }
    }
  }
}
