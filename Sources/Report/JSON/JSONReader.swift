// SPDX-License-Identifier: Apache-2.0

/// Reads JSON in one pass, value by value, as the caller expects them.
///
/// The bytes are a stranger's: nesting, numbers and keys are bounded, every step either moves on or
/// throws, and what is skipped is checked like everything else.
final class JSONReader {
  /// Levels of a value that nobody asked for; what is asked for nests as deep as its type.
  static let depthLimit = 256
  /// Of one object.
  static let keyLimit = 4096

  let bytes: [UInt8]
  // Only this type's own methods move it, one after the other, so no two accesses overlap.
  @safe @exclusivity(unchecked) private(set) var position = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  func error(_ problem: JSONReadingError.Problem, at offset: Int? = nil) -> JSONReadingError {
    JSONReadingError(problem, at: offset ?? position)
  }

  func move(to offset: Int) { position = offset }

  // MARK: Tokens

  /// The next byte that is no white space, which is not consumed; `nil` at the end.
  @inline(__always)
  func peek() -> UInt8? {
    var place = position
    while place < bytes.count {
      let byte = bytes[place]
      // Space, line feed, carriage return, tab.
      guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else {
        position = place
        return byte
      }
      place += 1
    }
    position = place
    return nil
  }

  /// Consumes `byte` if it comes next.
  @inline(__always)
  func take(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    position += 1
    return true
  }

  func expect(_ byte: UInt8) throws(JSONReadingError) {
    guard take(byte) else {
      throw error(
        position == bytes.count
          ? .truncated : .malformed(expected: "`\(Character(Unicode.Scalar(byte)))`"))
    }
  }

  /// Nothing but white space is left.
  func expectEnd() throws(JSONReadingError) {
    if peek() != nil { throw error(.trailingBytes) }
  }

  /// Consumes a literal such as `null` if it comes next.
  func take(_ literal: StaticString) -> Bool {
    _ = peek()
    guard matches(literal, at: position) else { return false }
    position += literal.utf8CodeUnitCount
    return true
  }

  /// Consumes `"name":` if it comes next.
  @inline(__always)
  func take(key name: StaticString) -> Bool {
    let start = position
    let end = start + 1 + name.utf8CodeUnitCount
    guard start < bytes.count, bytes[start] == UInt8(ascii: "\""), matches(name, at: start + 1),
      end < bytes.count, bytes[end] == UInt8(ascii: "\"")
    else { return false }
    position = end + 1
    guard take(UInt8(ascii: ":")) else {
      position = start
      return false
    }
    return true
  }

  @inline(__always)
  private func matches(_ text: StaticString, at start: Int) -> Bool {
    let size = text.utf8CodeUnitCount
    guard size <= bytes.count - start else { return false }
    for place in 0..<size {
      // The text is a constant of the program with `size` bytes.
      guard unsafe bytes[start + place] == text.utf8Start[place] else { return false }
    }
    return true
  }

  /// What kind of value comes next, in words.
  func kind() -> String {
    switch peek() {
    case nil: "the end"
    case UInt8(ascii: "{"): "an object"
    case UInt8(ascii: "["): "an array"
    case UInt8(ascii: "\""): "a string"
    case UInt8(ascii: "t"), UInt8(ascii: "f"): "true or false"
    case UInt8(ascii: "n"): "null"
    case UInt8(ascii: "-"), (UInt8(ascii: "0")...UInt8(ascii: "9"))?: "a number"
    default: "no JSON"
    }
  }

  func wrongType(_ expected: String) -> JSONReadingError {
    let found = kind()
    return error(
      position == bytes.count ? .truncated : .wrongType(expected: expected, found: found))
  }

  // MARK: Values

  func flag() throws(JSONReadingError) -> Bool {
    if take("true") { return true }
    if take("false") { return false }
    throw wrongType("true or false")
  }

  /// - Throws: for a fraction, an exponent, or a number outside of `T`.
  func integer<T: FixedWidthInteger>(_ type: T.Type) throws(JSONReadingError) -> T {
    _ = peek()
    let start = position
    let isNegative = take(UInt8(ascii: "-"))
    guard position < bytes.count, Self.isDigit(bytes[position]) else {
      if isNegative { throw error(.malformed(expected: "a digit")) }
      throw wrongType("a number")
    }
    var value: T = 0
    let first = position
    while position < bytes.count, Self.isDigit(bytes[position]) {
      let digit = T(truncatingIfNeeded: bytes[position] &- UInt8(ascii: "0"))
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, beyond) =
        isNegative
        ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
      guard !overflow, !beyond else { throw error(.numberTooLarge, at: start) }
      value = sum
      position += 1
    }
    if position - first > 1, bytes[first] == UInt8(ascii: "0") {
      throw error(.malformed(expected: "a number without leading zeros"), at: start)
    }
    if position < bytes.count,
      bytes[position] == UInt8(ascii: ".") || bytes[position] | 0x20 == UInt8(ascii: "e")
    {
      throw error(.wrongType(expected: "an integer", found: "a fraction"), at: start)
    }
    return value
  }

  @inline(__always)
  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  /// A string `"0x…"` with at most 64 bits.
  func hexadecimal() throws(JSONReadingError) -> UInt64 {
    guard peek() == UInt8(ascii: "\"") else { throw wrongType("a string such as \"0x1f\"") }
    let start = position
    var place = start + 3
    guard place < bytes.count, bytes[start + 1] == UInt8(ascii: "0"),
      bytes[start + 2] | 0x20 == UInt8(ascii: "x")
    else { throw noWord(start) }
    var value: UInt64 = 0
    while place < bytes.count, let digit = Self.hexDigit(bytes[place]) {
      guard value >> 60 == 0 else { throw error(.numberTooLarge, at: start) }
      value = value << 4 | UInt64(digit)
      place += 1
    }
    guard place > start + 3, place < bytes.count, bytes[place] == UInt8(ascii: "\"") else {
      throw noWord(start)
    }
    position = place + 1
    return value
  }

  private func noWord(_ start: Int) -> JSONReadingError {
    do {
      return error(
        .wrongValue(expected: "a word such as \"0x1f\"", found: "\"\(try string().prefix(40))\""),
        at: start)
    } catch {
      return error
    }
  }

  @inline(__always)
  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    if isDigit(byte) { return byte &- UInt8(ascii: "0") }
    let letter = byte | 0x20
    guard letter >= UInt8(ascii: "a"), letter <= UInt8(ascii: "f") else { return nil }
    return letter &- UInt8(ascii: "a") &+ 10
  }

  func string() throws(JSONReadingError) -> String {
    guard peek() == UInt8(ascii: "\"") else { throw wrongType("a string") }
    let start = position
    var place = start + 1
    while place < bytes.count, Escaping.isPlainJSON(bytes[place]) { place += 1 }
    if place < bytes.count, bytes[place] == UInt8(ascii: "\"") {
      position = place + 1
      return String(decoding: bytes[(start + 1)..<place], as: UTF8.self)
    }
    return try escapedString(start)
  }

  private func escapedString(_ start: Int) throws(JSONReadingError) -> String {
    var text: [UInt8] = []
    var place = start + 1
    while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
      let byte = bytes[place]
      guard byte >= 0x20 else { throw error(.badText, at: place) }
      place += 1
      if byte == UInt8(ascii: "\\") {
        try unescape(&place, into: &text)
      } else {
        text.append(byte)
      }
    }
    guard place < bytes.count else { throw error(.truncated, at: bytes.count) }
    guard let result = String(validating: text, as: UTF8.self) else {
      throw error(.badText, at: start)
    }
    position = place + 1
    return result
  }

  /// Reads what follows a backslash.
  private func unescape(_ place: inout Int, into text: inout [UInt8]) throws(JSONReadingError) {
    guard place < bytes.count else { throw error(.truncated, at: bytes.count) }
    let byte = bytes[place]
    place += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var units = [try unit(&place)]
      if UTF16.isLeadSurrogate(units[0]) {
        guard place + 1 < bytes.count, bytes[place] == UInt8(ascii: "\\"),
          bytes[place + 1] == UInt8(ascii: "u")
        else { throw error(.badText, at: place) }
        place += 2
        units.append(try unit(&place))
      }
      guard let scalar = String(validating: units, as: UTF16.self) else {
        throw error(.badText, at: place)
      }
      text += scalar.utf8
    default: throw error(.malformed(expected: "an escape"), at: place - 1)
    }
  }

  /// Four hexadecimal digits.
  private func unit(_ place: inout Int) throws(JSONReadingError) -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard place < bytes.count else { throw error(.truncated, at: bytes.count) }
      guard let digit = Self.hexDigit(bytes[place]) else {
        throw error(.malformed(expected: "four hexadecimal digits"), at: place)
      }
      value = value << 4 | UInt16(digit)
      place += 1
    }
    return value
  }

  // MARK: What nobody asked for

  /// Moves behind one value of any kind, and checks it on the way.
  func skipValue() throws(JSONReadingError) {
    // The brackets that are open, an object's as true.
    var open: [Bool] = []
    repeat {
      switch peek() {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        guard open.count < Self.depthLimit else { throw error(.tooDeep(limit: Self.depthLimit)) }
        let isObject = bytes[position] == UInt8(ascii: "{")
        position += 1
        open.append(isObject)
        if take(UInt8(ascii: isObject ? "}" : "]")) {
          open.removeLast()
        } else {
          if isObject { try skipKey() }
          continue
        }
      case UInt8(ascii: "\""): _ = try string()
      case UInt8(ascii: "-"), (UInt8(ascii: "0")...UInt8(ascii: "9"))?: try skipNumber()
      default:
        guard take("true") || take("false") || take("null") else {
          throw peek() == nil ? error(.truncated) : error(.malformed(expected: "a value"))
        }
      }
      // Behind a value: the end of containers, or the next item.
      while let isObject = open.last {
        if take(UInt8(ascii: ",")) {
          if isObject { try skipKey() }
          break
        }
        try expect(UInt8(ascii: isObject ? "}" : "]"))
        open.removeLast()
      }
    } while !open.isEmpty
  }

  private func skipKey() throws(JSONReadingError) {
    _ = try string()
    try expect(UInt8(ascii: ":"))
  }

  private func skipNumber() throws(JSONReadingError) {
    func digits() throws(JSONReadingError) {
      let start = position
      while position < bytes.count, Self.isDigit(bytes[position]) { position += 1 }
      if position == start {
        throw error(position == bytes.count ? .truncated : .malformed(expected: "a digit"))
      }
    }
    _ = take(UInt8(ascii: "-"))
    let first = position
    try digits()
    if position - first > 1, bytes[first] == UInt8(ascii: "0") {
      throw error(.malformed(expected: "a number without leading zeros"), at: first)
    }
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      position += 1
      try digits()
    }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      if position < bytes.count,
        bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-")
      {
        position += 1
      }
      try digits()
    }
  }

  /// The keys of the object whose first key stands at `start`, with the places of their values, and
  /// the place behind the object.
  func index(
    from start: Int
  ) throws(JSONReadingError) -> (values: [String: Int], end: Int) {
    position = start
    var values: [String: Int] = [:]
    if take(UInt8(ascii: "}")) { return (values, position) }
    repeat {
      _ = peek()
      let place = position
      let key = try string()
      try expect(UInt8(ascii: ":"))
      guard values.updateValue(position, forKey: key) == nil else {
        throw error(.duplicateKey(String(key.prefix(40))), at: place)
      }
      guard values.count <= Self.keyLimit else {
        throw error(.tooManyKeys(limit: Self.keyLimit), at: place)
      }
      try skipValue()
    } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
    return (values, position)
  }
}
