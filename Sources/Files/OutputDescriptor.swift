// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// An open descriptor that takes bytes, which somebody else closes.
public struct OutputDescriptor: Sendable {
  public var descriptor: Int32
  /// What messages call it.
  public var name: String

  public init(_ descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  public static let standardOutput = Self(STDOUT_FILENO, name: "standard output")
  public static let standardError = Self(STDERR_FILENO, name: "standard error")

  /// Whether somebody reads along.
  public var isTerminal: Bool { isatty(descriptor) == 1 }

  /// Writes all of `bytes`, waiting where the descriptor does not block.
  ///
  /// - Throws: `FileError` with the system's reason. `isClosedByReader` tells a pipe whose reader
  ///   has gone; the caller has to ignore SIGPIPE to see it.
  public func write(_ bytes: [UInt8]) throws(FileError) {
    var start = 0
    while start < bytes.count {
      // `start` is inside the array, whose memory is valid during the call.
      let written = unsafe bytes.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress else { return 0 }
        return unsafe Glibc.write(descriptor, base + start, bytes.count - start)
      }
      if written >= 0 {
        start += written
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        // Somebody made the descriptor non-blocking: wait until it takes bytes again.
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // `wait` is one valid record.
        _ = unsafe poll(&wait, 1, -1)
      default: throw .system(name, .write)
      }
    }
  }
}

extension FileError {
  /// Whether nobody reads any more, such as `head` after its last line.
  public var isClosedByReader: Bool {
    guard case .system(.write, let error) = cause else { return false }
    return error.code == EPIPE
  }
}
