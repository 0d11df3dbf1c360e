// SPDX-License-Identifier: Apache-2.0

/// The members of one flat row, written into storage that has room for them.
///
/// Every member ends with what separates it from the next, in one store of fixed size, and the last
/// one's is taken back.
@safe
struct RowLine: ~Copyable {
  /// Bytes that a row may take, with the stores that reach beyond its end.
  static let capacity = 1024
  /// Bytes that one member takes at most: a key, its punctuation, a value, and the separator.
  private static let member = 160
  /// Bytes that a key or a word may have.
  private static let word = 48
  /// Blanks that stand before a member at most.
  static let deepest = 28

  private typealias Separator = SIMD32<UInt8>

  private let start: UnsafeMutableRawPointer
  private let isSpread: Bool
  private let indent: Int
  private let separator: Separator
  private let separatorSize: Int
  /// Behind the last byte.
  private var place = 0
  private var members = 0
  private var isTooLong = false

  /// Begins a row.
  ///
  /// - Parameters:
  ///   - start: where it goes; `capacity` bytes belong to it.
  ///   - indent: blanks before its closing bracket, at most `deepest`.
  ///   - isSpread: whether each member has a line.
  @inline(__always)
  init(at start: UnsafeMutableRawPointer, indent: Int, isSpread: Bool) {
    unsafe self.start = start
    self.isSpread = isSpread
    self.indent = indent
    var separator = Separator(repeating: UInt8(ascii: " "))
    separator[0] = UInt8(ascii: ",")
    if isSpread { separator[1] = UInt8(ascii: "\n") }
    self.separator = separator
    // A comma, a line end, and two blanks more than the bracket has.
    separatorSize = isSpread ? indent + 4 : 2
    // The bracket stands where a comma would.
    separate()
    place = 0
    put(UInt8(ascii: "{"))
    if isSpread { place = separatorSize }
  }

  /// A member whose value is written as `"0x…"`.
  @inline(__always)
  mutating func member(_ key: StaticString, _ value: some DocumentWord) {
    guard begin(key) else { return }
    // `begin` saw to it that a member's bytes fit, of which these are a part.
    place += unsafe JSONBytes.store(hexadecimal: value.rawValue, at: start + place)
    separate()
  }

  /// A member whose value is a word of a fixed list.
  @inline(__always)
  mutating func member(_ key: StaticString, _ value: some DocumentChoice) {
    guard begin(key) else { return }
    put("\"")
    var word = value.rawValue
    let size = word.utf8.count
    guard size <= Self.word else {
      isTooLong = true
      return
    }
    word.withUTF8 { bytes in
      guard let source = bytes.baseAddress else { return }
      // `begin` saw to it that a member's bytes fit, of which these are a part.
      unsafe (start + place).copyMemory(from: source, byteCount: size)
    }
    place += size
    put("\"")
    separate()
  }

  /// Ends the row.
  ///
  /// - Returns: its bytes; `nil` if it was too long.
  @inline(__always)
  mutating func finish() -> Int? {
    guard !isTooLong, members > 0 else { return nil }
    place -= separatorSize
    if isSpread {
      var closing = Separator(repeating: UInt8(ascii: " "))
      closing[0] = UInt8(ascii: "\n")
      // `begin` left room for a member behind the last one.
      unsafe start.storeBytes(of: closing, toByteOffset: place, as: Separator.self)
      place += indent + 1
    }
    put(UInt8(ascii: "}"))
    return place
  }

  /// The columns of the finished row on one line.
  var width: Int {
    guard isSpread else { return place }
    // Each member has a line end and its blanks, all but one of them in place of a blank.
    return place - members * (indent + 2) - indent - 2
  }

  // MARK: Stores

  /// Makes sure that a member fits, and writes its key.
  @inline(__always)
  private mutating func begin(_ key: StaticString) -> Bool {
    guard !isTooLong, place <= Self.capacity - 2 * Self.member,
      key.utf8CodeUnitCount <= Self.word
    else {
      isTooLong = true
      return false
    }
    members += 1
    put("\"")
    put(key)
    put("\": ")
    return true
  }

  @inline(__always)
  private mutating func put(_ byte: UInt8) {
    // `begin` left room for a member behind the last one, and the row's brackets are less.
    unsafe start.storeBytes(of: byte, toByteOffset: place, as: UInt8.self)
    place += 1
  }

  @inline(__always)
  private mutating func put(_ text: StaticString) {
    // As above; the text is a constant of the program.
    unsafe (start + place).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    place += text.utf8CodeUnitCount
  }

  @inline(__always)
  private mutating func separate() {
    // As above; blanks behind the separator are written over by what follows.
    unsafe start.storeBytes(of: separator, toByteOffset: place, as: Separator.self)
    place += separatorSize
  }
}
