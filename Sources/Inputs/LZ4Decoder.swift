// SPDX-License-Identifier: Apache-2.0

/// lz4's frames, by liblz4; a block takes 4 MiB at most.
@safe
final class LZ4Decoder: StreamDecoder {
  private typealias Create =
    @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>?, UInt32) -> Int
  private typealias Free = @convention(c) (UnsafeMutableRawPointer?) -> Int
  private typealias Run =
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>?,
      UnsafeRawPointer?, UnsafeMutablePointer<Int>?, UnsafeRawPointer?
    ) -> Int

  private static let library = "liblz4.so.1"
  /// `LZ4F_VERSION`
  private static let version: UInt32 = 100

  // Made and given back by this object alone.
  private let context: UnsafeMutableRawPointer
  private let run: Run
  private let free: Free
  private let errors: PackerErrors

  init?() {
    // The signatures are those of lz4frame.h.
    guard
      let create = unsafe PackerLibrary.function(
        Self.library, "LZ4F_createDecompressionContext", as: Create.self),
      let free = unsafe PackerLibrary.function(
        Self.library, "LZ4F_freeDecompressionContext", as: Free.self),
      let run = unsafe PackerLibrary.function(Self.library, "LZ4F_decompress", as: Run.self),
      let errors = PackerErrors(Self.library, prefix: "LZ4F")
    else { return nil }
    var context: UnsafeMutableRawPointer?
    // `context` is a place for the result.
    guard unsafe create(&context, Self.version) == 0, let context = unsafe context else {
      return nil
    }
    unsafe self.context = context
    unsafe self.run = run
    unsafe self.free = free
    self.errors = errors
  }

  // The context was made in `init` and is not used any more.
  deinit { unsafe _ = free(context) }

  func step(
    _ input: [UInt8], from start: Int, into output: UnsafeMutableRawBufferPointer, isLast: Bool
  ) throws(DecoderFailure) -> DecoderStep {
    guard !input.isEmpty else { return DecoderStep(consumed: 0, produced: 0, isEnd: false) }
    var consumed = input.count - start
    var produced = output.count
    let code = unsafe input.withUnsafeBytes { bytes in
      // Both places are as long as the library is told, during the call.
      unsafe run(
        context, output.baseAddress, &produced, bytes.baseAddress.map { unsafe $0 + start },
        &consumed, nil)
    }
    if let problem = errors.problem(code) { throw DecoderFailure(problem: problem) }
    return DecoderStep(consumed: consumed, produced: produced, isEnd: code == 0)
  }

  // A finished context takes the next frame as it is.
  func restart() throws(DecoderFailure) {}
}
