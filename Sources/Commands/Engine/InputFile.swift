// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Reads whole files of modest size, such as a System.map.
enum InputFile {
  /// - Throws: with the system's reason.
  static func bytes(_ path: String, limit: Int = 1 << 28) throws(CommandFailure) -> [UInt8] {
    // The path is copied into a terminated string for the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      // The buffer is the array's own, with its own count.
      let count = unsafe chunk.withUnsafeMutableBytes {
        unsafe read(descriptor, $0.baseAddress, $0.count)
      }
      guard count >= 0 else { throw failure(path) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      guard bytes.count <= limit else {
        throw CommandFailure("\(path): larger than \(limit) bytes, which no such file is")
      }
    }
  }

  /// Whether the first sign in the file, which no dump begins with, opens a JSON object.
  ///
  /// A pipe cannot be looked at twice; what comes out of one is taken for JSON.
  static func looksLikeJSON(_ path: String) throws(CommandFailure) -> Bool {
    // The path is copied into a terminated string for the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    var head = [UInt8](repeating: 0, count: 512)
    // The buffer is the array's own, with its own count.
    let count = unsafe head.withUnsafeMutableBytes {
      unsafe pread(descriptor, $0.baseAddress, $0.count, 0)
    }
    guard count >= 0 else {
      guard errno != ESPIPE else { return true }
      throw failure(path)
    }
    let blanks = Array(" \t\r\n".utf8)
    return head[..<count].first { !blanks.contains($0) } == UInt8(ascii: "{")
  }

  private static func failure(_ path: String) -> CommandFailure {
    // `strerror` returns a string that stays valid until its next call on this thread.
    unsafe CommandFailure("\(path): \(String(cString: strerror(errno)))")
  }
}
