// SPDX-License-Identifier: Apache-2.0

/// Reads words and numbers of one message, also over line ends at which it was wrapped.
struct LogScanner {
  let bytes: [UInt8]
  private(set) var position: Int
  /// Where the message ends.
  let end: Int

  init(_ bytes: [UInt8], from position: Int, to end: Int) {
    self.bytes = bytes
    self.position = position
    self.end = end
  }

  var next: UInt8? { position < end ? bytes[position] : nil }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == LogText.soft }

  mutating func skipBlanks() {
    while let next, Self.isBlank(next) { position += 1 }
  }

  /// Passes one byte, whatever it is.
  mutating func advance() {
    if position < end { position += 1 }
  }

  /// Passes one byte, behind blanks; stays where it is if another one stands there.
  mutating func mark(_ character: Character) -> Bool {
    let start = position
    skipBlanks()
    if let next, next == character.asciiValue {
      position += 1
      return true
    }
    position = start
    return false
  }

  /// Passes words, in upper or lower case, with any blanks where the words have one.
  ///
  /// A line end inside a word is passed too: terminals wrap where the screen ends.
  mutating func words(_ text: String) -> Bool {
    let start = position
    skipBlanks()
    for wanted in text.utf8 {
      if wanted == 0x20 {
        guard let next, Self.isBlank(next) else {
          position = start
          return false
        }
        skipBlanks()
        continue
      }
      if next == LogText.soft { position += 1 }
      guard let next, Self.lower(next) == Self.lower(wanted) else {
        position = start
        return false
      }
      position += 1
    }
    return true
  }

  /// A number of hexadecimal digits, with or without `0x`; `nil` if there is none of 64 bits.
  mutating func hexadecimal() -> UInt64? {
    let start = position
    skipBlanks()
    skipBase()
    guard let value = digits(16) else {
      position = start
      return nil
    }
    return value
  }

  /// A number that is decimal unless it begins with `0x`.
  mutating func number() -> (value: UInt64, isHexadecimal: Bool)? {
    let start = position
    skipBlanks()
    let isHexadecimal = skipBase()
    let digitsStart = position
    // `1ah`: Xen's way to mark hexadecimal digits.
    if !isHexadecimal, let value = digits(16), next == 0x68 {
      position += 1
      return (value, true)
    }
    position = digitsStart
    guard let value = digits(isHexadecimal ? 16 : 10) else {
      position = start
      return nil
    }
    return (value, isHexadecimal)
  }

  @discardableResult
  private mutating func skipBase() -> Bool {
    guard position + 1 < end, bytes[position] == 0x30, Self.lower(bytes[position + 1]) == 0x78
    else { return false }
    position += 2
    return true
  }

  private mutating func digits(_ radix: UInt64) -> UInt64? {
    var value: UInt64 = 0
    var isEmpty = true
    while let next {
      if next == LogText.soft {
        // A number that the screen's edge has cut goes on if a bracket follows the rest of it.
        guard !isEmpty, goesOn(radix) else { break }
        position += 1
        continue
      }
      guard let digit = Self.digit(next), digit < radix else { break }
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = product.addingReportingOverflow(digit)
      if overflow || carry { return nil }
      value = sum
      isEmpty = false
      position += 1
    }
    return isEmpty ? nil : value
  }

  private func goesOn(_ radix: UInt64) -> Bool {
    var index = position + 1
    let first = index
    while index < end, let digit = Self.digit(bytes[index]), digit < radix { index += 1 }
    guard index > first else { return false }
    while index < end, Self.isBlank(bytes[index]) { index += 1 }
    return index < end && bytes[index] == 0x5b
  }

  /// Everything up to a byte, without it, which is passed; `nil` if it does not stand near.
  mutating func upTo(_ character: Character, within limit: Int = 40) -> String? {
    var text: [UInt8] = []
    var index = position
    while index < end, text.count <= limit {
      if bytes[index] == character.asciiValue {
        position = index + 1
        return String(decoding: text, as: UTF8.self)
      }
      if !Self.isBlank(bytes[index]) { text.append(bytes[index]) }
      index += 1
    }
    return nil
  }

  /// Passes everything to the line's end.
  mutating func skipLine() {
    while let next, next != LogText.soft { position += 1 }
  }

  static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }

  private static func digit(_ byte: UInt8) -> UInt64? {
    switch byte {
    case 0x30...0x39: UInt64(byte - 0x30)
    case 0x41...0x46: UInt64(byte - 0x37)
    case 0x61...0x66: UInt64(byte - 0x57)
    default: nil
    }
  }
}
