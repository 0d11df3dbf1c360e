// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import CSandbox
internal import Files
import Glibc
internal import Inputs

/// Takes from the process what reading a dump does not need, before the first byte of one is read: so
/// that even a hole in a library reaches nothing.
///
/// What is left: reading the files that the command line names and where the system keeps libraries,
/// kernels and their debug information; writing where the command line says, and temporary files; threads.
/// No other program, no other process, no network: debuginfod servers are asked by a process that was
/// made before, see `DebuginfodClient`.
enum Sandbox {
  /// What is in force now, for people; `nil` where the kernel refuses all of it.
  static func confine(_ arguments: [String], searchPath: String?, temporary: String?) -> String? {
    let paths = SandboxPaths(arguments, searchPath: searchPath, temporary: temporary)
    let (readable, writable) = (list(paths.readable), list(paths.writable))
    // Both lists live until the call returns, with the sizes that are passed.
    let files = unsafe sandbox_files(readable, readable.count, writable, writable.count)
    let bits = files | sandbox_system_calls()
    guard bits & SANDBOX_SECCOMP != 0 else { return nil }
    return ["no new privileges", "seccomp"].joined(separator: ", ")
      + (bits & SANDBOX_LANDLOCK != 0 ? ", Landlock" : "")
  }

  /// Each path with a null byte behind it.
  private static func list(_ paths: [String]) -> [CChar] {
    paths.flatMap { path in path.utf8.filter { $0 != 0 }.map { CChar(bitPattern: $0) } + [0] }
  }
}

/// Which files a command line may read and where it may write.
struct SandboxPaths: Hashable {
  private(set) var readable: [String] = [
    "/usr", "/lib", "/lib64", "/boot", "/opt", "/nix/store", "/etc/ld.so.cache", "/etc/localtime",
    "/dev/null", "/dev/zero", "/dev/urandom", "/proc/self", "/proc/meminfo", "/sys/devices/system",
  ]
  private(set) var writable: [String] = []

  /// Options whose value is a file or a folder that is written.
  private static let outputs = ["--output", "-o", "--image", outputFolder]
  /// Its value is made, with the folders above it.
  private static let outputFolder = "--output-directory"

  /// - Parameters:
  ///   - arguments: the whole command line; whatever of it is a file may be read.
  ///   - searchPath: where else libraries are looked for, `LD_LIBRARY_PATH`.
  ///   - temporary: the folder of temporary files, `TMPDIR`.
  init(_ arguments: [String], searchPath: String? = nil, temporary: String? = nil) {
    readable += (searchPath ?? "").split(separator: ":").map(String.init)
    if let temporary, !temporary.isEmpty {
      writable.append(temporary)
    } else {
      writable += ["/var/tmp", "/tmp"]
    }
    if arguments.first == CaptureCommand.configuration.commandName,
      arguments.contains("--registers")
    {
      readable.append(DeviceMemory.path)
    }
    // A kernel that was built on this machine lies in a folder that only a link names.
    readable += FolderWalk.names(in: "/lib/modules").map { "/lib/modules/\($0)/build/vmlinux" }
    /// The word before.
    var option = ""
    for argument in arguments {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let value = parts.count == 2 ? String(parts[1]) : argument
      // Raw memory is named with its address, FILE@ADDRESS.
      for path in Set(
        [argument, value]
          + [value.lastIndex(of: "@").map { String(value[..<$0]) }]
          .compactMap(\.self)
      ).sorted() where !path.isEmpty && Self.exists(path) {
        readable.append(path)
        readable += Self.kernels(beside: path)
        readable += [InputPaths.companion(of: path)].compactMap(\.self)
      }
      if Self.outputs.contains(option) {
        writable += Self.folders(of: argument, whichIsMade: option == Self.outputFolder)
      } else if parts.count == 2, Self.outputs.contains(String(parts[0])) {
        writable += Self.folders(of: value, whichIsMade: parts[0] == Self.outputFolder)
      } else if argument.hasPrefix("-o"), !argument.hasPrefix("--"), argument.count > 2 {
        writable += Self.folders(of: String(argument.dropFirst(2)), whichIsMade: false)
      }
      option = argument
    }
  }

  /// Kernels in the folder of a file, which may be those of a dump.
  private static func kernels(beside path: String) -> [String] {
    guard !isFolder(path) else { return [] }
    let folder = parent(path)
    return FolderWalk.names(in: folder).filter {
      $0.hasPrefix("vmlinux") || $0.hasPrefix("vmlinuz")
    }.map { folder + "/" + $0 }
  }

  /// Where a file of that name comes to lie: beside it, and beside what it is a link to.
  ///
  /// - Parameter isMade: it is a folder, and those above it are made in the nearest one that is there.
  private static func folders(of path: String, whichIsMade isMade: Bool) -> [String] {
    var folders = [parent(path)]
    while isMade, !exists(folders[0]), folders[0] != "." { folders[0] = parent(folders[0]) }
    // A folder is itself what is written to; `realpath` needs the file to exist.
    if isFolder(path) { folders.append(path) }
    if let real = unsafe realpath(path, nil) {
      // A string of `realpath`'s own making, freed once.
      folders.append(parent(unsafe String(cString: real)))
      unsafe free(real)
    }
    return folders
  }

  private static func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func exists(_ path: String) -> Bool {
    // The string is terminated and lives until the call returns.
    unsafe access(path, F_OK) == 0
  }

  private static func isFolder(_ path: String) -> Bool {
    var status = stat()
    // Both live until the call returns.
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
