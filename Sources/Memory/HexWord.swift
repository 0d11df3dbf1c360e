// SPDX-License-Identifier: Apache-2.0

/// A 64-bit word that people read in hexadecimal: a table entry, a register, a flag word.
///
/// Coded as a string `"0x…"`, because JSON numbers lose precision beyond 53 bits.
public struct HexWord: RawRepresentable, Hashable, Sendable, CustomStringConvertible,
  ExpressibleByIntegerLiteral
{
  public var rawValue: UInt64

  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  @inlinable
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  @inlinable
  public init(integerLiteral value: UInt64) { self.rawValue = value }

  public var description: String { rawValue.hexadecimal }
}

extension UInt64 {
  /// `0x` and lower-case hexadecimal digits without padding.
  public var hexadecimal: String { "0x" + String(self, radix: 16) }

  /// Reads a hexadecimal number with its `0x` prefix, or `nil` if `text` is anything else.
  public init?(hexadecimal text: some StringProtocol) {
    guard text.hasPrefix("0x") || text.hasPrefix("0X") else { return nil }
    let digits = text.dropFirst(2)
    // The integer parser would accept a sign here.
    guard let first = digits.first, first.isHexDigit else { return nil }
    self.init(digits, radix: 16)
  }
}
