// SPDX-License-Identifier: Apache-2.0

import Glibc
import Report

/// The versions behind `--version`: ours, and the system libraries' as this machine has them.
enum LibraryVersions {
  /// The program's own version, with which the argument parser answers `--version`.
  static let own = "\(Tool.current.name) \(Tool.current.version)"

  /// `own` with a line for each library. Asking for it opens the libraries, which no other command
  /// line may do: a codec is loaded when a dump needs it.
  static var text: String {
    ([own] + libraries.map { "\($0.name) \($0.version)" }).joined(separator: "\n")
  }

  private struct Library {
    var name: String
    /// Where there is one, the function that tells the version.
    var function: String?
    var file: String
    var package: String

    var version: String {
      guard let handle = unsafe dlopen(file, RTLD_LAZY) else {
        return "not installed (package \(package))"
      }
      defer { unsafe dlclose(handle) }
      guard let function, let symbol = unsafe dlsym(handle, function) else { return "present" }
      // All these functions return a static string; `dwfl_version` ignores its only argument,
      // which on this machine's calling convention the others do not see.
      typealias Version = @convention(c) (OpaquePointer?) -> UnsafePointer<CChar>?
      guard let version = unsafe unsafeBitCast(symbol, to: Version.self)(nil) else {
        return "present"
      }
      return unsafe String(cString: version)
    }
  }

  private static let libraries = [
    Library(
      name: "elfutils", function: "dwfl_version", file: "libdw.so.1", package: "libdw1"),
    Library(name: "zlib", function: "zlibVersion", file: "libz.so.1", package: "zlib1g"),
    Library(name: "libdeflate", function: nil, file: "libdeflate.so.0", package: "libdeflate0"),
    Library(
      name: "lzo", function: "lzo_version_string", file: "liblzo2.so.2", package: "liblzo2-2"),
    Library(name: "snappy", function: nil, file: "libsnappy.so.1", package: "libsnappy1v5"),
    Library(
      name: "zstd", function: "ZSTD_versionString", file: "libzstd.so.1", package: "libzstd1"),
    Library(
      name: "bzip2", function: "BZ2_bzlibVersion", file: "libbz2.so.1.0", package: "libbz2-1.0"),
    Library(
      name: "xz", function: "lzma_version_string", file: "liblzma.so.5", package: "liblzma5"),
    Library(
      name: "lz4", function: "LZ4_versionString", file: "liblz4.so.1", package: "liblz4-1"),
  ]
}
