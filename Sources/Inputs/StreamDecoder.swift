// SPDX-License-Identifier: Apache-2.0

/// Unpacks a stream piece by piece, within memory that the stream cannot raise beyond a bound.
protocol StreamDecoder: AnyObject {
  /// Unpacks some of `input` from `start` on into `output`, which is at least a byte.
  ///
  /// - Parameter isLast: nothing follows `input`.
  func step(
    _ input: [UInt8], from start: Int, into output: UnsafeMutableRawBufferPointer, isLast: Bool
  ) throws(DecoderFailure) -> DecoderStep

  /// Makes ready for the next stream of the same file, behind one that has ended.
  func restart() throws(DecoderFailure)
}

/// What one step took and gave.
struct DecoderStep: Hashable {
  var consumed: Int
  var produced: Int
  /// Whether the stream has ended.
  var isEnd: Bool
}

/// Why a stream cannot be unpacked any further, in words.
struct DecoderFailure: Error, Hashable {
  var problem: String
}
