// SPDX-License-Identifier: Apache-2.0

internal import Algorithms

/// Frames in ascending order, with a table that tells where to look for one.
///
/// Made for millions of questions about frames that mostly are not among them.
struct FrameIndex: Sendable {
  /// Ascending.
  let sorted: [UInt64]
  private let lowest: UInt64
  private let highest: UInt64
  /// Frames of one bucket differ in so many low bits, counted from the lowest frame.
  private let shift: UInt64
  /// Where the frames of each bucket begin, and one more for the end.
  private var starts: [Int] = []

  /// - Parameter sorted: ascending.
  init(_ sorted: [UInt64]) {
    self.sorted = sorted
    lowest = sorted.first ?? 0
    highest = sorted.last ?? 0
    // At most 2^16 buckets.
    shift = UInt64(max(0, 64 - (highest - lowest).leadingZeroBitCount - 16))
    guard !sorted.isEmpty else { return }
    starts.reserveCapacity(Int(truncatingIfNeeded: (highest - lowest) >> shift) + 2)
    for (index, frame) in sorted.enumerated() {
      let bucket = Int(truncatingIfNeeded: (frame - lowest) >> shift)
      while starts.count <= bucket { starts.append(index) }
    }
    starts.append(sorted.count)
  }

  /// The index of the first frame that is `frame` or lies behind it; the number of all, if none does.
  func first(atLeast frame: UInt64) -> Int {
    guard !sorted.isEmpty, frame > lowest else { return 0 }
    guard frame <= highest else { return sorted.count }
    let bucket = Int(truncatingIfNeeded: (frame - lowest) >> shift)
    // The bucket is one of those of `init`, because the frame is not behind the highest.
    return sorted[starts[bucket]..<starts[bucket + 1]].partitioningIndex { $0 >= frame }
  }
}
