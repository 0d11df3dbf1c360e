// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// Tells names that may be wanted by the tokens that they are written with.
struct NameFilter {
  private var byHash: [UInt64: [String]] = [:]
  /// Low bits of the hashes that are wanted: most others are told apart without a look-up.
  private var isWanted: [Bool] = Array(repeating: false, count: 1 << 12)
  /// Whether a wanted name begins with a token's text, or with a part of it.
  private var canBegin: [Bool]
  /// Whether a wanted name ends with a token's text.
  private var canEnd: [Bool]
  private let hashes: [PolynomialHash]
  /// The first character of a symbol is its type letter, not part of the name.
  private let firstHashes: [PolynomialHash]

  /// - Parameter tokens: the texts of all 256 tokens.
  init(_ wanted: Set<String>, tokens: [[UInt8]]) {
    for name in wanted {
      let hash = PolynomialHash(name.utf8).value
      byHash[hash, default: []].append(name)
      isWanted[Self.lowBits(hash)] = true
    }
    let names = wanted.map { Array($0.utf8) }
    canBegin = tokens.map { token in
      let head = token.dropFirst()
      return names.contains { $0.starts(with: head) }
    }
    canEnd = tokens.map { token in names.contains { $0.reversed().starts(with: token.reversed()) } }
    hashes = tokens.map { PolynomialHash($0) }
    firstHashes = tokens.map { PolynomialHash($0.dropFirst()) }
  }

  private static func lowBits(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash & 0xfff) }

  /// The wanted names that a sequence of tokens may stand for; `nil` for none.
  func candidates(_ symbol: ArraySlice<UInt8>) -> [String]? {
    guard let first = symbol.first, let last = symbol.last, canBegin[Int(first)],
      symbol.count == 1 || canEnd[Int(last)]
    else { return nil }
    var hash = firstHashes[Int(first)]
    for token in symbol.dropFirst() { hash.append(hashes[Int(token)]) }
    return isWanted[Self.lowBits(hash.value)] ? byHash[hash.value] : nil
  }
}

/// A hash of text that two halves' hashes can be joined to.
struct PolynomialHash {
  private(set) var value: UInt64 = 0
  private var power: UInt64 = 1
  private static let base: UInt64 = 0x100_0000_01b3

  init(_ text: some Sequence<UInt8>) {
    for byte in text {
      value = value &* Self.base &+ UInt64(byte) &+ 1
      power = power &* Self.base
    }
  }

  mutating func append(_ other: PolynomialHash) {
    value = value &* other.power &+ other.value
    power = power &* other.power
  }
}

/// Reads bytes one after another from the kernel's memory, a page at a time and no page too many.
struct ByteCursor {
  private let space: KernelReader
  private var address: KernelAddress
  /// The bytes at hand; the ones that `next(_:)` gave last are among them.
  private(set) var bytes: [UInt8] = []
  private var position = 0
  /// Bytes read before the first of `bytes`.
  private var dropped = 0

  init(_ space: KernelReader, at address: KernelAddress) {
    self.space = space
    self.address = address
  }

  /// Bytes read so far.
  var offset: Int { dropped + position }

  @inline(__always)
  mutating func next() throws(KernelError) -> UInt8 {
    if position == bytes.count { try refill() }
    defer { position &+= 1 }
    return bytes[position]
  }

  /// Where the next `count` bytes are in `bytes`, until more are asked for.
  @inline(__always)
  mutating func next(_ count: Int) throws(KernelError) -> Range<Int> {
    while count > bytes.count &- position { try refill() }
    defer { position &+= count }
    return position..<position &+ count
  }

  /// Takes one page more, and leaves out what was given before.
  private mutating func refill() throws(KernelError) {
    let length = Page.size - address.pageOffset
    let page = try space.bytes(at: address, count: length)
    guard let following = address.advanced(by: UInt64(length)) else {
      throw KernelError(at: address, .malformed("kallsyms runs over the end of memory"))
    }
    bytes.removeFirst(position)
    bytes += page
    dropped += position
    position = 0
    address = following
  }
}
