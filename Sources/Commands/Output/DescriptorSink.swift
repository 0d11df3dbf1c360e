// SPDX-License-Identifier: Apache-2.0

import Glibc
import Report

/// A sink over an open file descriptor, which somebody else closes.
final class DescriptorSink: ByteSink {
  private let descriptor: Int32
  /// What messages call it.
  private let name: String

  init(_ descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  func write(_ bytes: [UInt8]) throws(OutputError) {
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
        _ = unsafe poll(&wait, 1, -1)
      case EPIPE: throw .closed
      default: throw .failed("cannot write \(name): \(systemMessage())")
      }
    }
  }
}

/// The system's words for `errno`.
func systemMessage(_ code: Int32 = errno) -> String {
  // `strerror` returns a valid string for any number; no other thread asks meanwhile.
  unsafe String(cString: strerror(code))
}
