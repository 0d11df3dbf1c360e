// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A dump that cannot be opened, or an extract that cannot be written.
///
/// Single pages that cannot be read are no such error: see `MemoryError`.
public struct DumpError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file as the caller named it.
  public var path: String
  public var reason: Reason
  /// What was expected and found, and what to do about it.
  public var message: String

  /// The sort of failure, for callers that treat them differently.
  public enum Reason: Hashable, Sendable {
    /// The operating system refused; the error number is errno(3)'s.
    case system(errno: Int32)
    /// The file is no dump at all.
    case notADump
    /// A dump, but of a machine or in a variant that is not supported.
    case unsupported
    /// A dump whose headers contradict themselves or the file's size.
    case corrupt
    /// Several files that do not belong together.
    case mismatch
  }

  public init(_ path: String, _ reason: Reason, _ message: String) {
    self.path = path
    self.reason = reason
    self.message = message
  }

  /// The operating system's words for `errno`, after what was being done.
  static func system(_ path: String, _ action: String, errno code: Int32) -> Self {
    // strerror(3) never returns NULL, and the text is copied before anything can change it.
    let words = unsafe String(cString: strerror(code))
    return Self(path, .system(errno: code), "cannot \(action): \(words)")
  }

  public var description: String { "\(path): \(message)" }
}

extension String {
  /// The text with control characters replaced: names from a dump go into messages.
  var sanitized: String {
    let safe = unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : $0 }
    return String(String.UnicodeScalarView(safe))
  }
}
