// SPDX-License-Identifier: Apache-2.0

import CPackers

/// bzip2, by libbz2; a block takes 4 MB of memory at most.
@safe
final class Bzip2Decoder: StreamDecoder {
  private typealias Begin =
    @convention(c) (UnsafeMutablePointer<packers_bzip2>?, Int32, Int32) -> Int32
  private typealias Run = @convention(c) (UnsafeMutablePointer<packers_bzip2>?) -> Int32

  private static let streamEnd: Int32 = 4
  private static let library = "libbz2.so.1.0"

  // Made and given back by this object alone; the library keeps a pointer to it.
  private let stream = UnsafeMutablePointer<packers_bzip2>.allocate(capacity: 1)
  private let begin: Begin
  private let run: Run
  private let finish: Run

  init?() {
    // The signatures are those of bzlib.h.
    guard
      let begin = unsafe PackerLibrary.function(
        Self.library, "BZ2_bzDecompressInit", as: Begin.self),
      let run = unsafe PackerLibrary.function(Self.library, "BZ2_bzDecompress", as: Run.self),
      let finish = unsafe PackerLibrary.function(Self.library, "BZ2_bzDecompressEnd", as: Run.self)
    else {
      unsafe stream.deallocate()
      return nil
    }
    unsafe self.begin = begin
    unsafe self.run = run
    unsafe self.finish = finish
    unsafe stream.initialize(to: packers_bzip2())
    // The record is zero, as the library wants it.
    guard unsafe begin(stream, 0, 0) == 0 else {
      unsafe stream.deallocate()
      return nil
    }
  }

  deinit {
    // The stream was made in `init` and is not used any more.
    unsafe _ = finish(stream)
    unsafe stream.deallocate()
  }

  func step(
    _ input: [UInt8], from start: Int, into output: UnsafeMutableRawBufferPointer, isLast: Bool
  ) throws(DecoderFailure) -> DecoderStep {
    let code: Int32 = unsafe input.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return 0 }
      // Both places are as long as the library is told, during the call.
      unsafe stream.pointee.next_in = base + start
      unsafe stream.pointee.avail_in = UInt32(bytes.count - start)
      unsafe stream.pointee.next_out = output.baseAddress
      unsafe stream.pointee.avail_out = UInt32(output.count)
      return unsafe run(stream)
    }
    guard code == 0 || code == Self.streamEnd else {
      throw DecoderFailure(problem: "bzip2 says \(code)")
    }
    // What the library says is left lies within what it was given.
    return unsafe DecoderStep(
      consumed: input.isEmpty ? 0 : input.count - start - Int(stream.pointee.avail_in),
      produced: input.isEmpty ? 0 : output.count - Int(stream.pointee.avail_out),
      isEnd: code == Self.streamEnd)
  }

  func restart() throws(DecoderFailure) {
    // The stream is a live one until `finish`, and a new one from `begin` on.
    unsafe _ = finish(stream)
    unsafe stream.initialize(to: packers_bzip2())
    guard unsafe begin(stream, 0, 0) == 0 else {
      throw DecoderFailure(problem: "no memory for another stream")
    }
  }
}
