// SPDX-License-Identifier: Apache-2.0

import Glibc

/// SplitMix64: the same numbers for the same seed, so that a failed case can be repeated.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
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
  public mutating func index(below count: Int) -> Int { Int(next() % UInt64(count)) }

  public mutating func chance(_ percent: UInt64) -> Bool { next() % 100 < percent }
}

/// A number from the environment, so that long runs need no other program:
/// `TABLECOPY_CASES=100000 swift test -c release --filter RandomTables`.
public func environmentNumber(_ name: String, default value: Int) -> Int {
  // The environment is not changed while tests run.
  guard let text = unsafe getenv(name) else { return value }
  return unsafe Int(String(cString: text)) ?? value
}
