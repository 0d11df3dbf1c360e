// SPDX-License-Identifier: Apache-2.0

import CZlib

/// gzip, by zlib.
@safe
final class GzipDecoder: StreamDecoder {
  // Made and given back by this object alone; zlib keeps a pointer to it.
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

  /// The largest window, and a gzip header in place of zlib's.
  private static let window: Int32 = 15 + 16

  init?() {
    unsafe stream.initialize(to: z_stream())
    // The record is zero, as zlib wants it, and its size is the one that this header has.
    guard
      unsafe inflateInit2_(
        stream, Self.window, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else {
      unsafe stream.deallocate()
      return nil
    }
  }

  deinit {
    // The stream was made in `init` and is not used any more.
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  func step(
    _ input: [UInt8], from start: Int, into output: UnsafeMutableRawBufferPointer, isLast: Bool
  ) throws(DecoderFailure) -> DecoderStep {
    let code: Int32 = unsafe input.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return Z_BUF_ERROR }
      // zlib does not write to its input; both places are as long as it is told, during the call.
      unsafe stream.pointee.next_in = UnsafeMutablePointer(
        mutating: (base + start).assumingMemoryBound(to: Bytef.self))
      unsafe stream.pointee.avail_in = uInt(bytes.count - start)
      unsafe stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: Bytef.self)
      unsafe stream.pointee.avail_out = uInt(output.count)
      return unsafe inflate(stream, Z_NO_FLUSH)
    }
    // What zlib says is left lies within what it was given.
    let step = unsafe DecoderStep(
      consumed: input.count - start - Int(stream.pointee.avail_in),
      produced: output.count - Int(stream.pointee.avail_out), isEnd: code == Z_STREAM_END)
    switch code {
    case Z_OK, Z_STREAM_END, Z_BUF_ERROR: return step
    default:
      // What came out before the damage is kept; the next step fails with nothing.
      if step.produced > 0 { return step }
      throw DecoderFailure(problem: "inflate says \(code)")
    }
  }

  func restart() throws(DecoderFailure) {
    // The stream is a live one.
    guard unsafe inflateReset(stream) == Z_OK else {
      throw DecoderFailure(problem: "inflateReset failed")
    }
  }
}
