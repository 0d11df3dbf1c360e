// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What lies below a folder.
public enum FileTree {
  /// What a path names.
  public enum Kind: Hashable, Sendable {
    case file
    case folder
    /// A device, a pipe, a socket.
    case other
  }

  /// What a path names, through links.
  public static func kind(of path: String) throws(FileError) -> Kind {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw .system(path, .open) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .folder
    default: return .other
    }
  }

  /// The regular files below a folder, by name, folder by folder.
  ///
  /// Links to files are followed, links to folders are not: so the walk ends. What cannot be read is
  /// told and passed by.
  ///
  /// - Parameter unreadable: is given every folder or entry that cannot be read.
  public static func files(
    below folder: String, unreadable: (FileError) -> Void
  ) -> [String] {
    var result: [String] = []
    // Folders that are still to be visited, the next one last.
    var folders = [folder]
    while let folder = folders.popLast() {
      let names: [String]
      do {
        names = try self.names(in: folder)
      } catch {
        unreadable(error)
        continue
      }
      var inner: [String] = []
      for name in names {
        let path = folder.hasSuffix("/") ? folder + name : folder + "/" + name
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
          unreadable(.system(path, .open))
          continue
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: inner.append(path)
        case S_IFREG: result.append(path)
        case S_IFLNK:
          do {
            if try kind(of: path) == .file { result.append(path) }
          } catch {
            unreadable(error)
          }
        default: break
        }
      }
      folders += inner.reversed()
    }
    return result
  }

  /// The names in a folder, sorted by their bytes.
  private static func names(in folder: String) throws(FileError) -> [String] {
    guard let directory = unsafe opendir(folder) else { throw .system(folder, .open) }
    // Opened above, and closed once.
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      // The name is a terminated string inside the entry, which lives until the next `readdir`.
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}
