// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A folder for new files.
public enum OutputFolder {
  /// Makes the folder, and those that it is in, where they are missing.
  public static func make(_ path: String) throws(FileError) {
    var part = ""
    for piece in path.split(separator: "/", omittingEmptySubsequences: false) {
      part += piece
      // The path is a terminated string for the length of the call.
      if !part.isEmpty, unsafe mkdir(part, 0o755) != 0, errno != EEXIST {
        throw .system(path, .write)
      }
      part += "/"
    }
    guard FileKind.of(path) == .folder else {
      throw FileError(path, .system(.write, SystemError(ENOTDIR)))
    }
  }

  /// Makes the names in a folder safe on disk; file systems that know no such thing do it themselves.
  public static func synchronize(_ path: String) throws(FileError) {
    // The path is a terminated string for the length of the call.
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(path, .open) }
    defer { close(descriptor) }
    if fsync(descriptor) != 0, errno != EINVAL, errno != EROFS { throw .system(path, .write) }
  }
}
