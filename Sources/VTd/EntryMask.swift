// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A set of bits of one entry, such as the reserved bits that were found set.
public struct EntryMask: Hashable, Sendable {
  /// Lowest word first; as many as the entry has.
  public var words: [UInt64]

  public init(_ words: [UInt64]) {
    self.words = words
  }

  /// The bits of all `fields` in an entry of `wordCount` words.
  public init(_ fields: some Sequence<BitField>, wordCount: Int) {
    words = [UInt64](repeating: 0, count: wordCount)
    for field in fields {
      for bit in field.bits where bit >= 0 && bit / 64 < wordCount {
        words[bit / 64] |= 1 << UInt64(bit % 64)
      }
    }
  }

  /// The bits `bits` of one word.
  @usableFromInline
  static func word(bits: ClosedRange<Int>) -> UInt64 {
    (bits.count >= 64 ? ~0 : (1 << UInt64(bits.count)) - 1) << UInt64(bits.lowerBound)
  }

  /// The bits that either mask has; as long as the longer one.
  public func union(_ other: EntryMask) -> EntryMask {
    let (short, long) = words.count < other.words.count ? (self, other) : (other, self)
    return EntryMask(
      long.words.enumerated().map { index, word in
        index < short.words.count ? word | short.words[index] : word
      })
  }

  public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

  /// The set bits as inclusive ranges, lowest first, numbered across the whole entry.
  public var ranges: [ClosedRange<Int>] {
    var result: [ClosedRange<Int>] = []
    for bit in 0..<words.count * 64 where words[bit / 64] >> UInt64(bit % 64) & 1 != 0 {
      if let last = result.last, last.upperBound == bit - 1 {
        result[result.count - 1] = last.lowerBound...bit
      } else {
        result.append(bit...bit)
      }
    }
    return result
  }

  /// The bits that both masks have; as long as the shorter one.
  public func intersection(_ other: [UInt64]) -> EntryMask {
    EntryMask(zip(words, other).map { $0 & $1 })
  }
}

extension EntryMask: CustomStringConvertible {
  /// Highest first, as the specification writes them: `127:88, 71`.
  public var description: String {
    ranges.reversed().map {
      $0.count == 1 ? "\($0.lowerBound)" : "\($0.upperBound):\($0.lowerBound)"
    }.joined(separator: ", ")
  }
}
