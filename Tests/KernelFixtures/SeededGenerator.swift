// SPDX-License-Identifier: Apache-2.0

/// SplitMix64: the same numbers for the same seed, so that a failed case can be repeated.
public struct SeededGenerator: RandomNumberGenerator {
  public let seed: UInt64
  private var state: UInt64

  public init(seed: UInt64) {
    self.seed = seed
    state = seed
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }

  /// An index of a collection with `count` elements, which must not be empty.
  public mutating func index(below count: Int) -> Int {
    Int(next() % UInt64(count))
  }
}
