// SPDX-License-Identifier: Apache-2.0

import CPackers

/// xz, by liblzma, which reads all streams of a file as one.
@safe
final class XzDecoder: StreamDecoder {
  private typealias Begin =
    @convention(c) (UnsafeMutablePointer<packers_lzma>?, UInt64, UInt32) -> UInt32
  private typealias Run = @convention(c) (UnsafeMutablePointer<packers_lzma>?, UInt32) -> UInt32
  private typealias Finish = @convention(c) (UnsafeMutablePointer<packers_lzma>?) -> Void

  private static let library = "liblzma.so.5"
  /// `LZMA_CONCATENATED`
  private static let concatenated: UInt32 = 0x08
  /// Bytes; `xz -9` needs 65 MiB.
  private static let memoryLimit: UInt64 = 1 << 29
  private static let streamEnd: UInt32 = 1
  private static let overMemoryLimit: UInt32 = 6
  /// Nothing can be done with what there is.
  private static let stuck: UInt32 = 10

  // Made and given back by this object alone; the library keeps a pointer to it.
  private let stream = UnsafeMutablePointer<packers_lzma>.allocate(capacity: 1)
  private let run: Run
  private let finish: Finish

  init?() {
    // The signatures are those of lzma/base.h and lzma/container.h.
    guard
      let begin = unsafe PackerLibrary.function(
        Self.library, "lzma_stream_decoder", as: Begin.self),
      let run = unsafe PackerLibrary.function(Self.library, "lzma_code", as: Run.self),
      let finish = unsafe PackerLibrary.function(Self.library, "lzma_end", as: Finish.self)
    else {
      unsafe stream.deallocate()
      return nil
    }
    unsafe self.run = run
    unsafe self.finish = finish
    unsafe stream.initialize(to: packers_lzma())
    // The record is zero, as `LZMA_STREAM_INIT` makes it.
    guard unsafe begin(stream, Self.memoryLimit, Self.concatenated) == 0 else {
      unsafe stream.deallocate()
      return nil
    }
  }

  deinit {
    // The stream was made in `init` and is not used any more.
    unsafe finish(stream)
    unsafe stream.deallocate()
  }

  func step(
    _ input: [UInt8], from start: Int, into output: UnsafeMutableRawBufferPointer, isLast: Bool
  ) throws(DecoderFailure) -> DecoderStep {
    let code: UInt32 = unsafe input.withUnsafeBytes { bytes in
      // Both places are as long as the library is told, during the call.
      unsafe stream.pointee.next_in = bytes.baseAddress.map { unsafe $0 + start }
      unsafe stream.pointee.avail_in = bytes.count - start
      unsafe stream.pointee.next_out = output.baseAddress
      unsafe stream.pointee.avail_out = output.count
      return unsafe run(stream, isLast ? 3 : 0)
    }
    // What the library says is left lies within what it was given.
    let step = unsafe DecoderStep(
      consumed: input.count - start - stream.pointee.avail_in,
      produced: output.count - stream.pointee.avail_out, isEnd: code == Self.streamEnd)
    switch code {
    case 0, Self.streamEnd, Self.stuck: return step
    case Self.overMemoryLimit:
      throw DecoderFailure(problem: "it needs more than \(Self.memoryLimit) bytes of memory")
    default:
      if step.produced > 0 { return step }
      throw DecoderFailure(problem: "xz says \(code)")
    }
  }

  func restart() throws(DecoderFailure) {}
}
