// SPDX-License-Identifier: Apache-2.0

import CZlib
import Glibc
import Memory

/// How a page of a kdump-compressed dump is stored.
///
/// zlib is linked; the others are loaded when the first page needs them, so that a machine without
/// them still reads every other dump. Where libdeflate is installed it inflates zlib's pages, in a
/// third of the time, because it is made for input and output that are whole in memory; what it does
/// not accept is left to zlib, so that both give the same answers.
enum Codec: Hashable, Sendable {
  case none
  case zlib
  case lzo
  case snappy
  case zstd

  private static let zlibFlag: UInt32 = 0x1
  private static let lzoFlag: UInt32 = 0x2
  private static let snappyFlag: UInt32 = 0x4
  private static let zstdFlag: UInt32 = 0x20

  /// Why a page cannot be decompressed.
  enum Failure: Error, Hashable, Sendable {
    /// The bytes are no page in this codec.
    case corrupt(String)
    /// The codec's library, or the codec, is not to be had.
    case unsupported(String)
  }

  /// The codec that a page descriptor's flags name.
  ///
  /// Source: makedumpfile, `diskdump_mod.h`, `DUMP_DH_COMPRESSED_*`.
  init(flags: UInt32) throws(Failure) {
    switch flags {
    case 0: self = .none
    case Self.zlibFlag: self = .zlib
    case Self.lzoFlag: self = .lzo
    case Self.snappyFlag: self = .snappy
    case Self.zstdFlag: self = .zstd
    default:
      let known = Self.zlibFlag | Self.lzoFlag | Self.snappyFlag | Self.zstdFlag
      if flags & ~known == 0 {
        throw .corrupt("flags \(UInt64(flags).hexadecimal) name several codecs")
      }
      throw .unsupported(
        "stored in a way that is not known (page flags \(UInt64(flags).hexadecimal))")
    }
  }

  /// Why the codec cannot be used on this machine, or `nil` if it can.
  var obstacle: String? {
    switch self {
    case .none, .zlib: nil
    // The functions are only compared with nil here.
    case .lzo: unsafe CodecLibrary.lzo == nil ? Self.missing("lzo", "liblzo2-2") : nil
    case .snappy: unsafe CodecLibrary.snappy == nil ? Self.missing("snappy", "libsnappy1v5") : nil
    case .zstd: CodecLibrary.zstd == nil ? Self.missing("zstd", "libzstd1") : nil
    }
  }

  private static func missing(_ codec: String, _ package: String) -> String {
    "compressed with \(codec), whose library is not on this machine; install \(package)"
  }

  /// The page whose compressed bytes are `input`.
  ///
  /// Output never exceeds a page, whatever the bytes say.
  func decompress(_ input: RawSpan) throws(Failure) -> Page {
    if let obstacle { throw .unsupported(obstacle) }
    let buffer = PageBuffer()
    let outcome: (size: Int, code: Int)
    // In each case `source` is `input.byteCount` readable bytes and `target` one page of writable
    // bytes for the length of the call, and the codec is told both sizes; all of the functions
    // check them.
    switch self {
    case .none:
      guard input.byteCount == Page.size else {
        throw .corrupt("expected \(Page.size) bytes, found \(input.byteCount)")
      }
      outcome = unsafe input.withUnsafeBytes { source in
        if let start = source.baseAddress {
          unsafe buffer.base.copyMemory(from: start, byteCount: Page.size)
        }
        return (Page.size, 0)
      }
    case .zlib:
      outcome = unsafe input.withUnsafeBytes { source in
        if let deflate = CodecLibrary.deflate,
          unsafe deflate.inflates(source.baseAddress, source.count, to: buffer.base, Page.size)
        {
          return (Page.size, 0)
        }
        var size = uLongf(Page.size)
        let code = unsafe uncompress(
          buffer.base.assumingMemoryBound(to: Bytef.self), &size, source.baseAddress,
          uLong(source.count))
        return (Int(size), Int(code))
      }
    case .lzo:
      outcome = unsafe input.withUnsafeBytes { source in
        var size = UInt(Page.size)
        let code = unsafe CodecLibrary.lzo?(
          source.baseAddress, UInt(source.count), buffer.base, &size, nil)
        return (Int(size), Int(code ?? -1))
      }
    case .snappy:
      outcome = unsafe input.withUnsafeBytes { source in
        var size = Page.size
        let code = unsafe CodecLibrary.snappy?(
          source.baseAddress, source.count, buffer.base, &size)
        return (size, Int(code ?? -1))
      }
    case .zstd:
      outcome = unsafe input.withUnsafeBytes { source in
        let size = unsafe CodecLibrary.zstd?.decompress(
          buffer.base, Page.size, source.baseAddress, source.count)
        // Errors are the highest numbers, negated codes; anything beyond a page is one.
        guard let size, size >= 0, size <= Page.size else { return (0, size ?? -1) }
        return (size, 0)
      }
    }
    guard outcome.code == 0 else { throw .corrupt("\(self) stream is damaged (\(outcome.code))") }
    guard outcome.size == Page.size else {
      throw .corrupt("\(self) stream gives \(outcome.size) bytes, expected \(Page.size)")
    }
    return buffer.page
  }
}

/// The storage of a page while a codec writes to it.
@safe
private final class PageBuffer: @unchecked Sendable {
  // One page; written by one codec call before `page` is made from it, read-only afterwards.
  let base: UnsafeMutableRawPointer

  init() {
    unsafe base = .allocate(byteCount: Page.size, alignment: 16)
    // A codec that stops early must not leave another page's bytes behind.
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: Page.size)
  }

  deinit { unsafe base.deallocate() }

  /// The buffer as a page; the one shared page of zeros if it holds nothing else.
  var page: Page {
    // All bytes equal the next one and the first is zero; both ranges are inside the 4096 bytes.
    let isZero = unsafe base.load(as: UInt8.self) == 0 && memcmp(base, base + 1, Page.size - 1) == 0
    // `self` owns the 4096 bytes, and the page owns `self`.
    return isZero ? .zero : unsafe Page(unsafeBase: UnsafeRawPointer(base), owner: self)
  }
}
