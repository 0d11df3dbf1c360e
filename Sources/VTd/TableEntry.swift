// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A hardware structure of a fixed number of bits, seen through named fields.
///
/// Any bit pattern is a value of the type.
public protocol TableEntry: Hashable, Sendable {
  /// The fields from bit 0 up; they tile the entry without gap or overlap.
  static var layout: [BitField] { get }

  /// Bits of the entry: 32 for some registers, otherwise a multiple of 64.
  static var bitCount: Int { get }

  /// Takes an entry from its little-endian words, lowest first.
  ///
  /// Missing words count as zero, surplus ones are ignored.
  init(words: [UInt64])

  /// The entry's words, lowest first.
  var words: [UInt64] { get }
}

extension TableEntry {
  /// 64-bit words of the entry.
  public static var wordCount: Int { (bitCount + 63) / 64 }

  /// Bytes of the entry in memory.
  public static var byteCount: Int { bitCount / 8 }

  /// The entry at word `index` of a page; words beyond the page count as zero.
  public init(page: Page, word index: Int) {
    self.init(
      words: (index..<index + Self.wordCount).map {
        $0 >= 0 && $0 < Page.wordCount ? page[word: $0] : 0
      })
  }

  /// The bits that must be zero in any entry, whatever the unit can do.
  public static var reservedMask: EntryMask {
    EntryMask(layout.lazy.filter { $0.role == .reserved }, wordCount: wordCount)
  }

  /// The bits of a field of the layout; none if there is no such field.
  static func mask(of name: String) -> EntryMask {
    EntryMask(layout.lazy.filter { $0.name == name }, wordCount: wordCount)
  }

  /// The bits of the entry that are set in `mask`.
  func set(_ mask: EntryMask) -> EntryMask { mask.intersection(words) }

  /// The value of a field of `layout`, or of any other field that lies inside the entry.
  public func value(of field: BitField) -> UInt64 {
    field.value(in: words)
  }
}

extension SIMD where Scalar == UInt64 {
  /// The bits `range` of an entry, numbered from 0 at the low end of the first word.
  ///
  /// - Precondition: the range lies inside the entry and inside one word.
  @inlinable
  func bits(_ range: ClosedRange<Int>) -> UInt64 {
    let low = range.lowerBound & 63
    return self[range.lowerBound >> 6][bits: low...(low + range.count - 1)]
  }

  @inlinable
  func bit(_ index: Int) -> Bool {
    self[index >> 6] >> UInt64(index & 63) & 1 != 0
  }

  init(padding words: [UInt64]) {
    self.init()
    for index in 0..<Swift.min(words.count, scalarCount) { self[index] = words[index] }
  }

  var array: [UInt64] { indices.map { self[$0] } }
}
