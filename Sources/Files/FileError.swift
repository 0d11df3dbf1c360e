// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// An error number of the operating system, see errno(3), and its words.
public struct SystemError: Hashable, Sendable, CustomStringConvertible {
  public var code: Int32

  public init(_ code: Int32) { self.code = code }

  /// What the last failed call of this thread left behind.
  static var current: Self { Self(errno) }

  public var description: String {
    // strerror(3) never returns NULL; for the numbers that exist its strings are constants.
    unsafe String(cString: strerror(code))
  }
}

/// A file that could not be read or written, and why.
///
/// Callers that know what the file was meant for add what to do about it.
public struct FileError: Error, Hashable, Sendable {
  /// As the caller named it.
  public var path: String
  public var cause: Cause

  public enum Cause: Hashable, Sendable {
    /// The operating system refused.
    case system(Action, SystemError)
    case isDirectory
    /// A pipe, a socket or a device, where only a file with a size will do.
    case isNotRegular
    /// A file without bytes, where one with bytes is needed.
    case isEmpty
    /// More bytes than the caller wants to keep in memory.
    case isTooLarge(limit: Int)
    /// The file ends before what was asked for; it had `available` bytes when it was opened.
    case endsBefore(offset: Int, expected: Int, available: Int)
    /// The file lost bytes after it was opened.
    case becameShorter(offset: Int)
    /// Bytes that were there became unreadable while they were looked at.
    case lostBytes
    /// A pipe with a name that no program opens for writing.
    case nobodyWrites
    /// No folder takes a temporary file.
    case noTemporaryFolder(SystemError)
    /// The disk is full after so many bytes of a temporary file.
    case noRoom(folder: String, needed: Int)
    /// The file to be written is this one of those that are being read.
    case isInput(String)
  }

  /// What was being done.
  public enum Action: Hashable, Sendable {
    case open
    case status
    /// To map so many bytes.
    case map(Int)
    /// To read at an offset.
    case read(Int)
    /// To keep bytes in a nameless file in memory.
    case unpack
    case write
  }

  public init(_ path: String, _ cause: Cause) {
    self.path = path
    self.cause = cause
  }

  static func system(_ path: String, _ action: Action) -> Self {
    Self(path, .system(action, .current))
  }
}

extension FileError: CustomStringConvertible {
  public var description: String {
    switch cause {
    case .system(.open, let error), .system(.status, let error): "\(path): \(error)"
    case .system(.map(let count), let error): "\(path): cannot map \(count) bytes: \(error)"
    case .system(.read(let offset), let error): "\(path) at \(offset): \(error)"
    case .system(.unpack, let error):
      "\(path): cannot unpack: \(error)"
    case .system(.write, let error): "cannot write \(path): \(error)"
    case .isDirectory: "\(path) is a directory"
    case .isNotRegular: "\(path) is not a regular file"
    case .isEmpty: "\(path) is empty"
    case .isTooLarge(let limit): "\(path): larger than \(limit) bytes, which no such file is"
    case .endsBefore(let offset, let expected, let available):
      "\(path) has \(available) bytes, expected \(expected) at \(offset); it is cut off"
    case .becameShorter(let offset): "\(path) at \(offset): the file became shorter"
    case .lostBytes:
      "\(path): the file became shorter, or unreadable, while it was being read; copy it first, and "
        + "read the copy"
    case .nobodyWrites: "\(path) is a pipe that no program writes to"
    case .noTemporaryFolder(let error):
      "\(path): no folder for a temporary file: \(error); set TMPDIR to one with room"
    case .noRoom(let folder, let needed):
      "\(path): \(folder) is full after \(needed) unpacked bytes; set TMPDIR to a folder with "
        + "more room"
    case .isInput(let input): "cannot write \(path): it is the input file \(input)"
    }
  }
}
