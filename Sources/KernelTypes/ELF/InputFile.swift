// SPDX-License-Identifier: Apache-2.0

import Glibc

/// An open file that is read piece by piece, at any offset.
///
/// A kernel with debug information has 600 MB, of which a few are needed.
final class InputFile {
  /// For messages.
  let path: String
  let byteCount: Int
  /// Valid until this object goes.
  let descriptor: Int32

  /// Opens a regular file; anything else, such as a pipe, could block for ever.
  init(path: String) throws(TypeError) {
    // The string is valid for the call.
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw TypeError("\(path): \(Self.systemError())") }
    var status = stat()
    // `status` is a valid place for the answer.
    let result = unsafe fstat(descriptor, &status)
    guard result == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw TypeError("\(path) is not a regular file")
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = Int(status.st_size)
  }

  /// A nameless file in memory, for bytes that have to be made before they can be mapped.
  init(memory bytes: [UInt8], for path: String) throws(TypeError) {
    let name = "/iommuscope-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    // The name is valid for both calls; unlinked at once, it lives as long as the descriptor.
    let descriptor = unsafe shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw TypeError("\(path): no room to unpack debug information: \(Self.systemError())")
    }
    unsafe _ = shm_unlink(name)
    var written = 0
    while written < bytes.count {
      // The buffer is valid for the call and `written` is inside it.
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written)
      }
      guard count > 0 else {
        close(descriptor)
        throw TypeError("\(path): no room to unpack debug information: \(Self.systemError())")
      }
      written += count
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = bytes.count
  }

  deinit { close(descriptor) }

  /// Reads exactly the bytes of `range`.
  func read(_ range: Range<Int>) throws(TypeError) -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= byteCount else {
      throw TypeError(
        "\(path) has \(byteCount) bytes, expected \(range.count) at \(range.lowerBound); it is "
          + "cut off")
    }
    var bytes: [UInt8] = []
    try read(range, into: &bytes)
    return bytes
  }

  /// Reads the bytes of `range`, which is inside the file, in place of the buffer's.
  func read(_ range: Range<Int>, into buffer: inout [UInt8]) throws(TypeError) {
    if buffer.count != range.count { buffer = [UInt8](repeating: 0, count: range.count) }
    var done = 0
    while done < range.count {
      // The buffer is valid for the call and `done` is inside it.
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe pread(
          descriptor, $0.baseAddress?.advanced(by: done), $0.count - done,
          range.lowerBound + done)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw TypeError(
          "\(path) at \(range.lowerBound + done): "
            + (count == 0 ? "the file became shorter" : Self.systemError()))
      }
      done += count
    }
  }

  private static func systemError() -> String {
    // strerror returns a string that is valid until the next call on this thread.
    unsafe String(cString: strerror(errno))
  }
}

extension InputFile {
  static func exists(_ path: String) -> Bool {
    // The string is valid for the call.
    unsafe access(path, F_OK) == 0
  }
}
