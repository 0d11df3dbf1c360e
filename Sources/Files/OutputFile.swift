// SPDX-License-Identifier: Apache-2.0

internal import CGuard
internal import Glibc

/// A file that appears whole or not at all.
///
/// The bytes go to a nameless file in the same directory, which `commit()` gives its name; whatever
/// ends the process before, nothing stays behind. A file system that knows no nameless files gets a
/// temporary one. Devices and pipes are written directly.
public final class OutputFile {
  /// As it was given.
  public let path: String
  /// What takes the bytes until `commit()`.
  public let output: OutputDescriptor
  private let target: String
  private let staging: Staging
  private var isOpen = true

  /// Where the bytes are until the file is whole.
  private enum Staging {
    case direct
    case nameless
    case temporary(String)
  }

  /// Opens `path` for writing.
  ///
  /// - Parameter inputs: files that are being read, which the new one must not replace under any of
  ///   their names.
  /// - Throws: `FileError` for one of `inputs`, for a directory, and with what the system says.
  public init(_ path: String, keeping inputs: [String]) throws(FileError) {
    self.path = path
    let existing = try Self.existing(path, keeping: inputs)
    let descriptor: Int32
    if let existing, !existing.isRegular {
      target = path
      staging = .direct
      // The path is a terminated string for the length of the call, as in all calls of this file.
      descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
    } else {
      // The target of a symbolic link, not the link, is what is replaced.
      target = Self.resolved(path) ?? path
      (descriptor, staging) = Self.stage(besides: target)
      if descriptor >= 0, let existing { fchmod(descriptor, existing.permissions) }
    }
    output = OutputDescriptor(descriptor, name: path)
    guard descriptor >= 0 else {
      isOpen = false
      throw .system(path, .write)
    }
  }

  /// Refuses a path that a new regular file must not take: a directory, a device, an input.
  public static func checkNewFile(_ path: String, keeping inputs: [String]) throws(FileError) {
    if let existing = try existing(path, keeping: inputs), !existing.isRegular {
      throw FileError(path, .isNotRegular)
    }
  }

  /// What is at `path` now; refuses a directory and one of `inputs`.
  private static func existing(
    _ path: String, keeping inputs: [String]
  ) throws(FileError) -> FileIdentity? {
    guard let existing = FileIdentity(path) else { return nil }
    guard !existing.isDirectory else { throw FileError(path, .isDirectory) }
    if let input = inputs.first(where: { FileIdentity($0) == existing }) {
      throw FileError(path, .isInput(input))
    }
    return existing
  }

  /// `O_TMPFILE` of open(2) on x86_64, which Glibc's module does not show.
  private static let namelessFlag: Int32 = 0o20_000_000 | O_DIRECTORY

  /// Opens a place for the bytes in the directory of `target`; descriptor -1 with `errno` if none.
  private static func stage(besides target: String) -> (Int32, Staging) {
    let directory = target.lastIndex(of: "/").map { String(target[...$0]) } ?? "./"
    let nameless = unsafe open(directory, namelessFlag | O_WRONLY | O_CLOEXEC, 0o666)
    if nameless >= 0 {
      // Where `/proc` is missing, the file could not be given its name later.
      if unsafe access(descriptorPath(nameless), F_OK) == 0 { return (nameless, .nameless) }
      close(nameless)
    }
    let name = temporaryName(besides: target)
    let descriptor = unsafe open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    // A signal that ends the process must not leave it behind. The name is copied.
    if descriptor >= 0 { unsafe guard_temporary(name) }
    return (descriptor, .temporary(name))
  }

  private static func temporaryName(besides target: String) -> String {
    let directory = target.lastIndex(of: "/").map { String(target[...$0]) } ?? ""
    return directory + ".iommuscope-" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
  }

  private static func descriptorPath(_ descriptor: Int32) -> String {
    "/proc/self/fd/\(descriptor)"
  }

  /// Puts the file in its place.
  ///
  /// - Throws: `FileError` with the system's reason, such as a full disk; then the place is as it
  ///   was.
  public func commit() throws(FileError) {
    // A pipe or a device knows no synchronisation; a full disk shows up here at the latest.
    if fsync(output.descriptor) != 0, errno != EINVAL, errno != EROFS {
      throw .system(path, .write)
    }
    var temporary: String?
    switch staging {
    case .direct: break
    case .temporary(let name): temporary = name
    case .nameless:
      // Only a rename replaces an older file in one step, and only what has a name is renamed.
      let name = Self.temporaryName(besides: target)
      guard
        unsafe linkat(
          AT_FDCWD, Self.descriptorPath(output.descriptor), AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0
      else { throw .system(path, .write) }
      temporary = name
    }
    isOpen = false
    let isClosed = close(output.descriptor) == 0
    defer { guard_temporary(nil) }
    if isClosed, temporary.map({ unsafe rename($0, target) == 0 }) ?? true { return }
    let error = FileError.system(path, .write)
    if let temporary { unsafe _ = unlink(temporary) }
    throw error
  }

  deinit {
    guard isOpen else { return }
    close(output.descriptor)
    guard case .temporary(let name) = staging else { return }
    unsafe _ = unlink(name)
    guard_temporary(nil)
  }

  private static func resolved(_ path: String) -> String? {
    // A null buffer makes the function allocate its result, which is freed here.
    guard let real = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(real) }
    return unsafe String(cString: real)
  }
}

/// Which file a path leads to, whatever its name.
private struct FileIdentity: Equatable {
  private let device: dev_t
  private let inode: ino_t
  private let mode: mode_t

  /// `nil` where there is no such file.
  init?(_ path: String) {
    var status = stat()
    // `status` is a valid place for the result, the path a terminated string.
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
