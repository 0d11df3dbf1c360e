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
  static let deflate = DeflateDecompressor()

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

/// Contexts of a C library that no thread is using; as many as threads ever were at work at once.
///
/// Making one for each page costs more than the page.
@safe
private final class IdleContexts: Sendable {
  typealias Create = @convention(c) () -> UnsafeMutableRawPointer?

  // A C function, which any thread may call.
  private let create: Create
  private let addresses = Mutex<[UInt]>([])

  init(_ create: @escaping Create) {
    unsafe self.create = create
  }

  /// Calls `body` with a context that only this call has; `nil` if none can be made.
  func use<R>(_ body: (UnsafeMutableRawPointer) -> R) -> R? {
    let kept = addresses.withLock { $0.popLast() }
    // A kept address is a live context that was put back by its last user.
    guard
      let context = unsafe kept.flatMap({ unsafe UnsafeMutableRawPointer(bitPattern: $0) })
        ?? create()
    else { return nil }
    defer { addresses.withLock { $0.append(UInt(bitPattern: context)) } }
    return unsafe body(context)
  }
}

/// zstd, one frame at a time.
@safe
final class ZstdDecompressor: Sendable {
  private typealias Decompress =
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int, UnsafeRawPointer?, Int
    ) -> Int

  private let contexts: IdleContexts
  // A C function, which any thread may call with a context of its own.
  private let run: Decompress

  /// `nil` if the library is not there.
  init?() {
    // The signatures are those of zstd.h.
    guard
      let create = unsafe CodecLibrary.function(
        "libzstd.so.1", "ZSTD_createDCtx", as: IdleContexts.Create.self),
      let run = unsafe CodecLibrary.function(
        "libzstd.so.1", "ZSTD_decompressDCtx", as: Decompress.self)
    else { return nil }
    contexts = unsafe IdleContexts(create)
    unsafe self.run = run
  }

  /// Decompresses one frame; both buffers are valid and have the sizes given.
  ///
  /// The result is the size of what was written, or a number beyond `limit`, or negative.
  func decompress(
    _ target: UnsafeMutableRawPointer, _ limit: Int, _ source: UnsafeRawPointer?, _ count: Int
  ) -> Int {
    // The caller vouches for the buffers, and the context is a live one.
    unsafe contexts.use { unsafe run($0, target, limit, source, count) } ?? -1
  }
}

/// libdeflate, one zlib stream at a time.
@safe
final class DeflateDecompressor: Sendable {
  private typealias Decompress =
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafeRawPointer?, Int, UnsafeMutableRawPointer?, Int,
      UnsafeMutablePointer<Int>?
    ) -> Int32

  private let contexts: IdleContexts
  // A C function, which any thread may call with a context of its own.
  private let run: Decompress

  /// `nil` if the library is not there.
  init?() {
    // The signatures are those of libdeflate.h.
    guard
      let create = unsafe CodecLibrary.function(
        "libdeflate.so.0", "libdeflate_alloc_decompressor", as: IdleContexts.Create.self),
      let run = unsafe CodecLibrary.function(
        "libdeflate.so.0", "libdeflate_zlib_decompress", as: Decompress.self)
    else { return nil }
    contexts = unsafe IdleContexts(create)
    unsafe self.run = run
  }

  /// Decompresses one stream; both buffers are valid and have the sizes given.
  ///
  /// - Returns: whether the stream is whole, its sum is right, and it gives exactly `size` bytes.
  func inflates(
    _ source: UnsafeRawPointer?, _ count: Int, to target: UnsafeMutableRawPointer, _ size: Int
  ) -> Bool {
    var written = 0
    // The caller vouches for the buffers, and the context is a live one.
    let code = unsafe contexts.use { context in
      unsafe run(context, source, count, target, size, &written)
    }
    return code == 0 && written == size
  }
}
