// SPDX-License-Identifier: Apache-2.0

import CSandbox
import Glibc
import Report

/// The versions behind `--version`: ours, and the system libraries' as this machine has them.
enum LibraryVersions {
  /// The program's own version, with which the argument parser answers `--version`.
  static let own = "\(Tool.current.name) \(Tool.current.version)"

  /// `own` with how the program was built, what it runs on, and a line for each library. Asking for it
  /// opens the libraries, which no other command line may do: a codec is loaded when a dump needs it.
  ///
  /// Nothing here is a time or a place of the build, so that equal sources give equal programs.
  static var text: String {
    let landlock = sandbox_landlock()
    let files = landlock > 0 ? "Landlock \(landlock)" : "no Landlock in this kernel"
    var lines = [own]
    lines.append(
      "built: \(configuration); Swift's standard library \(_SwiftStdlibVersion.current), \(runtime)"
    )
    lines.append("sandbox: seccomp, \(files)")
    lines.append(systemLibrary)
    lines += linked.map(\.line)
    lines.append("opened when they are needed:")
    lines += opened.map { "  " + $0.line }
    return lines.joined(separator: "\n")
  }

  private static var configuration: String {
    #if DEBUG
    "debug"
    #else
    "release"
    #endif
  }

  /// `glibc 2.36`, of the machine that it runs on.
  private static var systemLibrary: String {
    var text = [CChar](repeating: 0, count: 64)
    // The buffer is as long as is said, and its last byte stays zero.
    let size = unsafe confstr(Int32(_CS_GNU_LIBC_VERSION), &text, text.count - 1)
    guard size > 0 else { return "glibc" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Whether the runtime is part of the program.
  private static var runtime: String {
    // Asked for by name, and only if it is there already; nothing is loaded.
    guard let handle = unsafe dlopen("libswiftCore.so", RTLD_LAZY | RTLD_NOLOAD) else {
      return "linked in"
    }
    unsafe dlclose(handle)
    return "shared"
  }

  private struct Library {
    var name: String
    /// Where there is one, the function that tells the version.
    var function: String?
    var file: String
    var package: String

    var line: String { "\(name) \(version)" }

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

  private static let linked = [
    Library(
      name: "elfutils", function: "dwfl_version", file: "libdw.so.1", package: "libdw1")
  ]

  private static let opened = [
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
    Library(
      name: "debuginfod", function: nil, file: "libdebuginfod.so.1", package: "libdebuginfod1"),
  ]
}
