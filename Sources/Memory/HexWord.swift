// SPDX-License-Identifier: Apache-2.0

/// A 64-bit word that people read in hexadecimal: a table entry, a register, a flag word.
///
/// Coded as a string `"0x…"`, because JSON numbers lose precision beyond 53 bits.
public struct HexWord: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible,
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

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let value = UInt64(hexadecimal: text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "expected a word such as \"0x1f\", have \"\(text)\"")
    }
    self.init(value)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue.hexadecimal)
  }
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
