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
