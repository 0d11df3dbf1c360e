// SPDX-License-Identifier: Apache-2.0

import Glibc
import Report

/// A file that appears whole or not at all.
///
/// The bytes go to a temporary file in the same directory, which `commit()` renames. Devices and
/// pipes are written directly.
final class OutputFile {
  let sink: any ByteSink
  /// As it was given.
  private let path: String
  private let target: String
  /// `nil` where the target is written directly.
  private let temporary: String?
  private var descriptor: Int32

  /// Opens `path` for writing; refuses one of `inputs`, which are being read.
  init(_ path: String, keeping inputs: [String]) throws(CommandFailure) {
    self.path = path
    let existing = try Self.existing(path, keeping: inputs)
    if let existing, !existing.isRegular {
      target = path
      temporary = nil
      descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
    } else {
      // The target of a symbolic link, not the link, is what is replaced.
      let resolved = Self.resolved(path) ?? path
      target = resolved
      let directory = resolved.lastIndex(of: "/").map { String(resolved[...$0]) } ?? ""
      var template = Array((directory + ".iommuscope-XXXXXX").utf8CString)
      // `template` ends with six X and a null, as the function demands.
      descriptor = unsafe template.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return -1 }
        return unsafe mkstemp(base)
      }
      temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if descriptor >= 0 {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        fchmod(descriptor, existing?.permissions ?? Self.newFilePermissions())
      }
    }
    sink = DescriptorSink(descriptor, name: path)
    guard descriptor >= 0 else { throw CommandFailure("cannot write \(path): \(systemMessage())") }
  }

  /// Refuses a path that a new regular file must not take: a directory, a device, an input.
  static func checkNewFile(_ path: String, keeping inputs: [String]) throws(CommandFailure) {
    if let existing = try existing(path, keeping: inputs), !existing.isRegular {
      throw CommandFailure("cannot write \(path): it is not a regular file")
    }
  }

  /// What is at `path` now; refuses a directory and one of `inputs`.
  private static func existing(
    _ path: String, keeping inputs: [String]
  ) throws(CommandFailure) -> FileIdentity? {
    guard let existing = FileIdentity(path) else { return nil }
    guard !existing.isDirectory else {
      throw CommandFailure("cannot write \(path): it is a directory")
    }
    if let input = inputs.first(where: { FileIdentity($0) == existing }) {
      throw CommandFailure("cannot write \(path): it is the input file \(input)")
    }
    return existing
  }

  /// Puts the file in its place.
  func commit() throws(CommandFailure) {
    // A pipe or a device knows no synchronisation; a full disk shows up here at the latest.
    if fsync(descriptor) != 0, errno != EINVAL, errno != EROFS {
      throw CommandFailure("cannot write \(path): \(systemMessage())")
    }
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0 else { throw CommandFailure("cannot write \(path): \(systemMessage())") }
    if let temporary, unsafe rename(temporary, target) != 0 {
      let reason = systemMessage()
      unsafe unlink(temporary)
      throw CommandFailure("cannot write \(path): \(reason)")
    }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    if let temporary { unsafe unlink(temporary) }
  }

  private static func resolved(_ path: String) -> String? {
    // A null buffer makes the function allocate its result, which is freed here.
    guard let real = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(real) }
    return unsafe String(cString: real)
  }

  private static func newFilePermissions() -> mode_t {
    // The mask can only be read by setting it; no other thread creates files meanwhile.
    let mask = umask(0o022)
    umask(mask)
    return 0o666 & ~mask
  }
}

/// Which file a path leads to, whatever its name.
private struct FileIdentity: Equatable {
  private let device: dev_t
  private let inode: ino_t
  let mode: mode_t

  /// `nil` where there is no such file.
  init?(_ path: String) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    device = status.st_dev
    inode = status.st_ino
    mode = status.st_mode
  }

  var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
  var isRegular: Bool { mode & S_IFMT == S_IFREG }
  var permissions: mode_t { mode & 0o777 }

  static func == (a: Self, b: Self) -> Bool { a.device == b.device && a.inode == b.inode }
}
