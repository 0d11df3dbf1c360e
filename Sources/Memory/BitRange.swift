// SPDX-License-Identifier: Apache-2.0

extension FixedWidthInteger {
  /// The bits `range`, numbered from 0 at the least significant end, moved down to bit 0.
  ///
  /// - Precondition: `range` lies inside the word.
  @inlinable
  public subscript(bits range: ClosedRange<Int>) -> Self {
    let shifted = self >> Self(truncatingIfNeeded: range.lowerBound)
    let width = range.upperBound - range.lowerBound + 1
    return width >= Self.bitWidth ? shifted : shifted & ((1 << Self(width)) - 1)
  }

  /// Whether bit `index`, numbered from 0 at the least significant end, is set.
  @inlinable
  public subscript(bit index: Int) -> Bool {
    self & (1 << Self(truncatingIfNeeded: index)) != 0
  }
}

/// A named field of a hardware word: the single description that decoders, views and tests share.
public struct BitField: Hashable, Sendable {
  /// The specification's abbreviation, or `reserved` or `ignored`.
  public var name: String
  /// Inclusive, numbered from 0 across the whole entry, little-endian words.
  public var bits: ClosedRange<Int>
  /// What the field means, in a few words.
  public var meaning: String
  /// What a reader does with the bits.
  public var role: Role
  /// Bits that the entry leaves out below an address: the value times 2^shift is what is meant.
  public var shift = 0

  public enum Role: Hashable, Sendable {
    /// Decoded by an accessor of the entry.
    case field
    /// Must be zero; a set bit makes hardware fault.
    case reserved
    /// Hardware does not look at these bits; software may.
    case ignored
  }

  public init(_ name: String, _ bits: ClosedRange<Int>, _ meaning: String = "", role: Role = .field)
  {
    self.name = name
    self.bits = bits
    self.meaning = meaning
    self.role = role
  }

  public init(_ name: String, _ bit: Int, _ meaning: String = "", role: Role = .field) {
    self.init(name, bit...bit, meaning, role: role)
  }

  /// An address that is stored without its low bits.
  ///
  /// - Parameter shift: how many are left out; by default as many as stand below the field in its
  ///   word, so that the address reads in place.
  public static func address(
    _ name: String, _ bits: ClosedRange<Int>, _ meaning: String, shift: Int? = nil
  ) -> Self {
    var field = Self(name, bits, meaning)
    field.shift = shift ?? bits.lowerBound % 64
    return field
  }

  public static func reserved(_ bits: ClosedRange<Int>) -> Self {
    Self("reserved", bits, "must be zero", role: .reserved)
  }

  public static func ignored(_ bits: ClosedRange<Int>) -> Self {
    Self("ignored", bits, "not looked at by hardware", role: .ignored)
  }

  /// The value of this field in an entry of little-endian 64-bit words, lowest word first.
  ///
  /// - Returns: the field moved down to bit 0; bits beyond the given words read as zero.
  /// - Precondition: the field is at most 64 bits wide.
  public func value(in words: [UInt64]) -> UInt64 {
    let low = bits.lowerBound / 64
    let shift = UInt64(bits.lowerBound % 64)
    var value = low < words.count ? words[low] >> shift : 0
    if shift != 0, low + 1 < words.count { value |= words[low + 1] << (64 - shift) }
    return bits.count >= 64 ? value : value & ((1 << UInt64(bits.count)) - 1)
  }

  /// The value as it is meant: of an address, with the low bits that the entry leaves out.
  public func meant(in words: [UInt64]) -> UInt64 { value(in: words) << UInt64(shift) }
}
