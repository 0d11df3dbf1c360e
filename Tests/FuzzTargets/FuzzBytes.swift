// SPDX-License-Identifier: Apache-2.0

/// The fuzzer's bytes, taken from the front; zeros after their end.
struct FuzzBytes {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isEmpty: Bool { rest.isEmpty }

  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  mutating func word(_ count: Int = 8) -> UInt64 {
    (0..<count).reduce(0) { $0 | UInt64(byte()) << UInt64(8 * $1) }
  }

  /// A number below `limit`, which is at least 1.
  mutating func index(below limit: Int) -> Int {
    Int(word(limit > 1 << 16 ? 4 : limit > 1 << 8 ? 2 : 1)) % limit
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    let taken = Array(rest.prefix(count))
    rest = rest.dropFirst(count)
    return taken
  }

  /// All that is left.
  mutating func remainder() -> [UInt8] { bytes(rest.count) }
}

extension UInt64 {
  /// Numbers that overflow, or lie just outside, where they stand for a size, a place or a count.
  static let extremes: [UInt64] = [
    0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff,
    0x8000_0000, 0xffff_ffff, 1 << 40, 1 << 52, 1 << 60, .max >> 1, 1 << 63, .max - 4095, .max - 7,
    .max - 1, .max,
  ]
}
