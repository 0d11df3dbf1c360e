// SPDX-License-Identifier: Apache-2.0

import CPackers

/// zstd, by libzstd.
@safe
final class ZstdDecoder: StreamDecoder {
  private typealias Create = @convention(c) () -> UnsafeMutableRawPointer?
  private typealias Free = @convention(c) (UnsafeMutableRawPointer?) -> Int
  private typealias Set = @convention(c) (UnsafeMutableRawPointer?, Int32, Int32) -> Int
  private typealias Run =
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafeMutablePointer<packers_zstd>?,
      UnsafeMutablePointer<packers_zstd>?
    ) -> Int

  private static let library = "libzstd.so.1"
  /// `ZSTD_d_windowLogMax`; 2²⁹ bytes, four times what `zstd --long` needs.
  private static let windowParameter: Int32 = 100
  private static let windowLog: Int32 = 29

  // Made and given back by this object alone.
  private let context: UnsafeMutableRawPointer
  private let run: Run
  private let free: Free
  private let errors: PackerErrors

  init?() {
    // The signatures are those of zstd.h.
    guard
      let create = unsafe PackerLibrary.function(
        Self.library, "ZSTD_createDCtx", as: Create.self),
      let free = unsafe PackerLibrary.function(Self.library, "ZSTD_freeDCtx", as: Free.self),
      let set = unsafe PackerLibrary.function(
        Self.library, "ZSTD_DCtx_setParameter", as: Set.self),
      let run = unsafe PackerLibrary.function(
        Self.library, "ZSTD_decompressStream", as: Run.self),
      let errors = PackerErrors(Self.library, prefix: "ZSTD"),
      let context = unsafe create()
    else { return nil }
    unsafe self.context = context
    unsafe self.run = run
    unsafe self.free = free
    self.errors = errors
    // The context is a live one.
    unsafe _ = set(context, Self.windowParameter, Self.windowLog)
  }

  // The context was made in `init` and is not used any more.
  deinit { unsafe _ = free(context) }

  func step(
    _ input: [UInt8], from start: Int, into output: UnsafeMutableRawBufferPointer, isLast: Bool
  ) throws(DecoderFailure) -> DecoderStep {
    guard !input.isEmpty else { return DecoderStep(consumed: 0, produced: 0, isEnd: false) }
    var (consumed, produced, code) = (0, 0, 0)
    unsafe input.withUnsafeBytes { bytes in
      // zstd does not write to its input; both places are as long as it is told, during the call.
      var source = unsafe packers_zstd(
        bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress), size: bytes.count,
        position: start)
      var target = unsafe packers_zstd(bytes: output.baseAddress, size: output.count, position: 0)
      code = unsafe run(context, &target, &source)
      consumed = unsafe source.position - start
      produced = unsafe target.position
    }
    if let problem = errors.problem(code) {
      if produced > 0 { return DecoderStep(consumed: consumed, produced: produced, isEnd: false) }
      throw DecoderFailure(problem: problem)
    }
    return DecoderStep(consumed: consumed, produced: produced, isEnd: code == 0)
  }

  // A finished context takes the next frame as it is.
  func restart() throws(DecoderFailure) {}
}
