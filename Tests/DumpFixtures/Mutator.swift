// SPDX-License-Identifier: Apache-2.0

import MemoryFixtures

/// Damages files: the kinds of damage that break readers, from a printed seed.
public struct Mutator: Sendable {
  private var generator: SeededGenerator

  public init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  /// Numbers that overflow, underflow or lie just outside when they stand where a size or an offset
  /// is expected.
  private static let extremes: [UInt64] = [
    0, 1, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000,
    0xffff_ffff, 1 << 40, 1 << 52, 1 << 60, .max >> 1, 1 << 63, .max - 4095, .max - 1, .max,
  ]

  /// A damaged copy of `bytes`.
  ///
  /// The first `focus` bytes, where the headers are, get three of four hits.
  public mutating func mutate(_ bytes: [UInt8], focus: Int) -> [UInt8] {
    var result = bytes
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      guard !result.isEmpty else { return result }
      let isFocused = Int.random(in: 0..<4, using: &generator) != 0
      let range = isFocused ? min(focus, result.count) : result.count
      let place = Int.random(in: 0..<range, using: &generator)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0:
        result.removeLast(result.count - place)
      case 1:
        result[place] = UInt8.random(in: .min ... .max, using: &generator)
      case 2:
        result[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 3:
        let count = Int.random(in: 1...64, using: &generator)
        for index in place..<min(place + count, result.count) {
          result[index] = UInt8.random(in: .min ... .max, using: &generator)
        }
      case let kind:
        let size = [2, 4, 8, 8][kind - 4]
        let aligned = place / size * size
        let value = Self.extremes.randomElement(using: &generator) ?? 0
        for index in 0..<size where aligned + index < result.count {
          result[aligned + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
        }
      }
    }
    return result
  }
}
