// SPDX-License-Identifier: Apache-2.0

import CZlib
import Glibc

/// Compresses pages the way makedumpfile does; lzo, snappy and zstd where the machine has them.
public enum Compressor: String, Hashable, Sendable, CaseIterable {
  case none
  case zlib
  case lzo
  case snappy
  case zstd

  /// The page descriptor's flag.
  public var flag: UInt32 {
    switch self {
    case .none: 0
    case .zlib: 0x1
    case .lzo: 0x2
    case .snappy: 0x4
    case .zstd: 0x20
    }
  }

  /// Whether this machine has the codec's library.
  public var isAvailable: Bool { compress([UInt8](repeating: 0, count: 4096)) != nil }

  /// Those of `allCases` that this machine can write.
  public static var available: [Compressor] { allCases.filter(\.isAvailable) }

  /// The compressed bytes, or `nil` if the codec's library is missing.
  public func compress(_ input: [UInt8]) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: 2 * input.count + 1024)
    var size = output.count
    // Every codec gets both buffers with their true sizes; `output` is larger than any codec's
    // bound for its input, and lzo's work memory has the size that lzo1x_1_compress wants.
    let isDone = unsafe input.withUnsafeBytes { source in
      unsafe output.withUnsafeMutableBytes { target -> Bool in
        switch self {
        case .none:
          return false
        case .zlib:
          var length = uLongf(size)
          let code = unsafe CZlib.compress2(
            target.baseAddress?.assumingMemoryBound(to: Bytef.self), &length,
            source.baseAddress?.assumingMemoryBound(to: Bytef.self), uLong(source.count), 1)
          size = Int(length)
          return code == Z_OK
        case .lzo:
          typealias Function =
            @convention(c) (
              UnsafeRawPointer?, UInt, UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt>?,
              UnsafeMutableRawPointer?
            ) -> Int32
          guard
            let function = unsafe Self.function(
              "liblzo2.so.2", "lzo1x_1_compress", as: Function.self)
          else { return false }
          let work = UnsafeMutableRawPointer.allocate(byteCount: 16384 * 8, alignment: 16)
          defer { unsafe work.deallocate() }
          var length = UInt(size)
          let code = unsafe function(
            source.baseAddress, UInt(source.count), target.baseAddress, &length, work)
          size = Int(length)
          return code == 0
        case .snappy:
          typealias Function =
            @convention(c) (
              UnsafeRawPointer?, Int, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>?
            ) -> Int32
          guard
            let function = unsafe Self.function(
              "libsnappy.so.1", "snappy_compress", as: Function.self)
          else { return false }
          return unsafe function(source.baseAddress, source.count, target.baseAddress, &size) == 0
        case .zstd:
          typealias Function =
            @convention(c) (
              UnsafeMutableRawPointer?, Int, UnsafeRawPointer?, Int, Int32
            ) -> Int
          guard
            let function = unsafe Self.function("libzstd.so.1", "ZSTD_compress", as: Function.self)
          else { return false }
          let length = unsafe function(
            target.baseAddress, size, source.baseAddress, source.count, 1)
          size = length
          return length > 0 && length <= target.count
        }
      }
    }
    if self == .none { return input }
    return isDone ? Array(output.prefix(size)) : nil
  }

  private static func function<F>(_ library: String, _ name: String, as type: F.Type) -> F? {
    // Both strings are terminated and live during the calls.
    guard let handle = unsafe dlopen(library, RTLD_NOW | RTLD_LOCAL),
      let symbol = unsafe dlsym(handle, name)
    else { return nil }
    // `F` is the function's true signature as its header has it, and a C function is one pointer.
    return unsafe unsafeBitCast(symbol, to: type)
  }
}
