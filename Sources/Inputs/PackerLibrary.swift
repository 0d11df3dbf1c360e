// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Functions of libraries that are loaded when a file needs them.
enum PackerLibrary {
  /// A function of a library, which stays loaded; `nil` if either is not there.
  ///
  /// - Parameter type: a C function type, the function's true signature.
  static func function<F>(_ library: String, _ name: String, as type: F.Type) -> F? {
    // Both strings are terminated and live during the calls.
    guard let handle = unsafe dlopen(library, RTLD_NOW | RTLD_LOCAL),
      let symbol = unsafe dlsym(handle, name)
    else { return nil }
    // The caller vouches for the type, which is one pointer.
    return unsafe unsafeBitCast(symbol, to: type)
  }
}

/// How lz4 and zstd tell an error from a size: by the same number, and with a name for it.
@safe
struct PackerErrors {
  private typealias IsError = @convention(c) (Int) -> UInt32
  private typealias Name = @convention(c) (Int) -> UnsafePointer<CChar>?

  private let isError: IsError
  private let name: Name

  /// - Parameter prefix: of the library's two functions, such as `ZSTD`.
  init?(_ library: String, prefix: String) {
    // The signatures are those of lz4frame.h and zstd.h.
    guard
      let isError = PackerLibrary.function(library, prefix + "_isError", as: IsError.self),
      let name = unsafe PackerLibrary.function(library, prefix + "_getErrorName", as: Name.self)
    else { return nil }
    self.isError = isError
    unsafe self.name = name
  }

  /// What is wrong; `nil` where the number is a size.
  func problem(_ code: Int) -> String? {
    guard isError(code) != 0 else { return nil }
    // Both functions take any number; the name is a constant of the library.
    return unsafe name(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }
}
