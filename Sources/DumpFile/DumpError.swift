// SPDX-License-Identifier: Apache-2.0

internal import Files

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

  /// A file that cannot be opened, in words that fit a dump.
  init(_ error: FileError) {
    let path = error.path
    self =
      switch error.cause {
      case .system(let action, let reason):
        DumpError(path, .system(errno: reason.code), "cannot \(Self.words(action)): \(reason)")
      case .isDirectory:
        DumpError(path, .notADump, "expected a dump, found a directory; name the file in it")
      case .isNotRegular:
        DumpError(
          path, .notADump,
          "expected a regular file, found a pipe or a device; save the dump to a file first")
      case .isEmpty:
        DumpError(
          path, .notADump, "expected a dump, found an empty file; copy the dump again")
      case .isTooLarge, .endsBefore, .becameShorter, .isInput, .nobodyWrites, .lostBytes,
        .noTemporaryFolder,
        .noRoom:
        DumpError(path, .corrupt, error.description)
      }
  }

  private static func words(_ action: FileError.Action) -> String {
    switch action {
    case .open: "open the dump"
    case .status: "read the dump's status"
    case .map(let count): "map \(count) bytes of the dump"
    case .read(let offset): "read the dump at offset \(offset)"
    case .unpack: "unpack the dump"
    case .write: "write the extract"
    }
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
