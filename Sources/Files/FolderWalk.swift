// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The files below a folder.
public enum FolderWalk {
  /// Names of what a folder holds, sorted; none where it cannot be opened.
  ///
  /// - Parameter limit: after so many entries no further ones are looked at.
  public static func names(in path: String, limit: Int = 1 << 14) -> [String] {
    // The path is a terminated string for the length of the call; the result is checked.
    guard let directory = unsafe opendir(path) else { return [] }
    // Opened above and closed once.
    defer { unsafe _ = closedir(directory) }
    var names: [String] = []
    while names.count < limit, let name = unsafe next(in: directory) { names.append(name) }
    return names.filter { $0 != "." && $0 != ".." }.sorted()
  }

  /// The name of the next entry of an open folder; `nil` at the end.
  private static func next(in directory: OpaquePointer) -> String? {
    // The stream is open; an entry stays valid until the next call.
    guard let entry = unsafe readdir(directory) else { return nil }
    return unsafe withUnsafePointer(to: &entry.pointee.d_name) {
      // The system ends names with a zero byte inside the field.
      unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
    }
  }

  /// Regular files below `path`, sorted, as paths that begin with it; what cannot be opened is passed
  /// over, and symbolic links are not followed, so that nothing is found twice.
  ///
  /// - Parameters:
  ///   - depth: folders inside folders are entered so many times.
  ///   - limit: after so many entries no further ones are looked at.
  /// - Throws: `FileError` where the folder itself cannot be opened.
  public static func files(
    below path: String, depth: Int = 6, limit: Int = 1 << 17
  ) throws(FileError) -> [String] {
    var found: [String] = []
    var entries = 0
    var folders = [(path: path, depth: 0)]
    while let folder = folders.popLast() {
      // The path is a terminated string for the length of the call; the result is checked.
      guard let directory = unsafe opendir(folder.path) else {
        if folder.depth == 0 { throw .system(path, .open) }
        continue
      }
      // Opened above and closed once.
      defer { unsafe _ = closedir(directory) }
      let prefix = folder.path.hasSuffix("/") ? folder.path : folder.path + "/"
      while entries < limit, let name = unsafe next(in: directory) {
        entries += 1
        guard name != ".", name != ".." else { continue }
        var status = stat()
        // `status` is a valid place for the result, the path a terminated string.
        guard unsafe lstat(prefix + name, &status) == 0 else { continue }
        switch FileKind(status.st_mode) {
        case .regular where status.st_mode & S_IFMT == S_IFREG: found.append(prefix + name)
        case .folder where folder.depth < depth:
          folders.append((prefix + name, folder.depth + 1))
        default: break
        }
      }
    }
    return found.sorted()
  }
}
