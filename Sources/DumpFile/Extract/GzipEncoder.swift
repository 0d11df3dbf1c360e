// SPDX-License-Identifier: Apache-2.0

import CZlib

/// gzip, by zlib, piece by piece; equal bytes in give equal bytes out, for the header has neither a
/// time nor a name.
@safe
final class GzipEncoder {
  // Made and given back by this object alone; zlib keeps a pointer to it.
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private var output = [UInt8](repeating: 0, count: 1 << 16)

  /// The largest window, and a gzip header in place of zlib's.
  private static let window: Int32 = 15 + 16

  /// - Returns: `nil` where zlib has no memory for it.
  init?() {
    unsafe stream.initialize(to: z_stream())
    // The record is zero, as zlib wants it, and its size is the one that this header has.
    guard
      unsafe deflateInit2_(
        stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, Self.window, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else {
      unsafe stream.deallocate()
      return nil
    }
  }

  deinit {
    // The stream was made in `init` and is not used any more.
    unsafe deflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Takes the next piece, and hands on what is ready.
  func take<E: Error>(_ input: [UInt8], _ sink: ([UInt8]) throws(E) -> Void) throws(E) {
    try run(input, Z_NO_FLUSH, sink)
  }

  /// Hands on the rest, with the checksum.
  func finish<E: Error>(_ sink: ([UInt8]) throws(E) -> Void) throws(E) {
    try run([], Z_FINISH, sink)
  }

  private func run<E: Error>(
    _ input: [UInt8], _ flush: Int32, _ sink: ([UInt8]) throws(E) -> Void
  ) throws(E) {
    var start = 0
    while true {
      // zlib does not write to its input; both places are as long as it is told, during the call.
      let code: Int32 = unsafe input.withUnsafeBytes { bytes in
        unsafe output.withUnsafeMutableBytes { target in
          let next = unsafe bytes.baseAddress.map { unsafe $0 + start }
          unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: next?.assumingMemoryBound(to: Bytef.self))
          unsafe stream.pointee.avail_in = uInt(bytes.count - start)
          unsafe stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: Bytef.self)
          unsafe stream.pointee.avail_out = uInt(target.count)
          return unsafe deflate(stream, flush)
        }
      }
      // What zlib says is left lies within what it was given.
      let left = unsafe Int(stream.pointee.avail_in)
      let made = unsafe output.count - Int(stream.pointee.avail_out)
      start = input.count - left
      if made > 0 { try sink(Array(output[..<made])) }
      // A buffer that was not filled says that nothing more is ready.
      if code == Z_STREAM_END || (made < output.count && left == 0) { return }
      guard code == Z_OK || code == Z_BUF_ERROR, made > 0 || left < input.count else { return }
    }
  }
}
