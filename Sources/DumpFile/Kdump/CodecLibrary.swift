// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Decompression functions of libraries that are loaded at run time.
enum CodecLibrary {
  typealias LZO =
    @convention(c) (
      UnsafeRawPointer?, UInt, UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt>?,
      UnsafeMutableRawPointer?
    ) -> Int32
  typealias Snappy =
    @convention(c) (
      UnsafeRawPointer?, Int, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>?
    ) -> Int32
  private typealias LZOInit =
    @convention(c) (
      UInt32, Int32, Int32, Int32, Int32, Int32, Int32, Int32, Int32, Int32
    ) -> Int32

  // Each signature is the one of the library's header (lzo1x.h, snappy-c.h, zstd.h); the sonames
  // in `function` pin the interface they belong to.
  static let lzo: LZO? = {
    let begin = function("liblzo2.so.2", "__lzo_init_v2", as: LZOInit.self)
    // The sizes of short, int, long, lzo_uint32_t, lzo_uint, lzo_bytep, char *, void * and
    // lzo_callback_t: what the macro lzo_init() passes on x86_64 to compare with the library's.
    guard let begin, begin(1, 2, 4, 8, 4, 8, 8, 8, 8, 48) == 0 else {
      return nil
    }
    return unsafe function("liblzo2.so.2", "lzo1x_decompress_safe", as: LZO.self)
  }()
  static let snappy: Snappy? = unsafe function(
    "libsnappy.so.1", "snappy_uncompress", as: Snappy.self)
  static let zstd = ZstdDecompressor()

  /// A function of a library, which stays loaded; `nil` if either is not there.
  fileprivate static func function<F>(_ library: String, _ name: String, as type: F.Type) -> F? {
    // Both strings are terminated and live during the calls.
    guard let handle = unsafe dlopen(library, RTLD_NOW | RTLD_LOCAL),
      let symbol = unsafe dlsym(handle, name)
    else { return nil }
    // `F` is a C function type, which is one pointer, and names the function's true signature.
    return unsafe unsafeBitCast(symbol, to: type)
  }
}

/// zstd with its contexts kept: making one for each page costs more than the page.
@safe
final class ZstdDecompressor: @unchecked Sendable {
  private typealias Create = @convention(c) () -> UnsafeMutableRawPointer?
  private typealias Decompress =
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int, UnsafeRawPointer?, Int
    ) -> Int

  // C functions, which any thread may call.
  private let create: Create
  private let run: Decompress
  /// Addresses of contexts that no thread is using; as many as threads ever were at work at once.
  private let idle = Mutex<[UInt]>([])

  /// `nil` if the library is not there.
  init?() {
    // The signatures are those of zstd.h.
    guard
      let create = unsafe CodecLibrary.function(
        "libzstd.so.1", "ZSTD_createDCtx", as: Create.self),
      let run = unsafe CodecLibrary.function(
        "libzstd.so.1", "ZSTD_decompressDCtx", as: Decompress.self)
    else { return nil }
    unsafe self.create = create
    unsafe self.run = run
  }

  /// Decompresses one frame; both buffers are valid and have the sizes given.
  ///
  /// The result is the size of what was written, or a number beyond `limit`, or negative.
  func decompress(
    _ target: UnsafeMutableRawPointer, _ limit: Int, _ source: UnsafeRawPointer?, _ count: Int
  ) -> Int {
    let kept = idle.withLock { $0.popLast() }
    // A kept address is a context that only this call has now.
    guard
      let context = unsafe kept.flatMap({ unsafe UnsafeMutableRawPointer(bitPattern: $0) })
        ?? create()
    else { return -1 }
    defer { idle.withLock { $0.append(UInt(bitPattern: context)) } }
    // The caller vouches for the buffers, and the context is a live one.
    return unsafe run(context, target, limit, source, count)
  }
}
