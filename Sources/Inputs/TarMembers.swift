// SPDX-License-Identifier: Apache-2.0

/// The members of a tar archive, one after the other.
///
/// Source: POSIX.1-2001, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar's manual,
/// "Basic Tar Format".
final class TarMembers {
  static let blockSize = 512
  /// Longer names are no names.
  private static let nameLimit = 1 << 16

  struct Member {
    var name: String
    var byteCount: UInt64
    /// Whether it is stored with holes, in GNU tar's own form.
    var isSparse: Bool
  }

  private let source: PeekedStream
  /// Bytes of the current member that nobody has taken, and what pads it to a block.
  private var remaining: UInt64 = 0
  private var padding: UInt64 = 0
  private(set) var isCut = false

  init(_ source: PeekedStream) { self.source = source }

  /// Whether a file that starts like this is an archive.
  static func isStart(_ block: [UInt8]) -> Bool {
    guard block.count >= blockSize, let stated = octal(block[148..<156]) else { return false }
    // The sum of the header's bytes, with blanks in place of itself.
    let sum = block[..<blockSize].enumerated().reduce(0) {
      $0 + ((148..<156).contains($1.offset) ? 0x20 : UInt64($1.element))
    }
    return sum == stated && block[0] != 0
  }

  /// Goes to the next regular file; `nil` at the end.
  func next() throws(InputError) -> Member? {
    var long: String?
    var size: UInt64?
    while true {
      try skip(remaining + padding)
      (remaining, padding) = (0, 0)
      let block = try source.peek(Self.blockSize)
      guard Self.isStart(block) else {
        isCut = isCut || block.isEmpty || block.contains { $0 != 0 }
        return nil
      }
      try skip(UInt64(Self.blockSize))
      guard let count = size ?? Self.number(block[124..<136]) else { return nil }
      remaining = count
      padding = (UInt64(Self.blockSize) &- count % UInt64(Self.blockSize)) % UInt64(Self.blockSize)
      switch block[156] {
      case UInt8(ascii: "L"): long = Self.text(try content()[...])
      case UInt8(ascii: "x"): (long, size) = Self.records(try content(), long)
      case UInt8(ascii: "0"), UInt8(ascii: "7"), 0, UInt8(ascii: "S"):
        let prefix =
          block[257..<262].elementsEqual(Array("ustar".utf8)) && block[262] == 0
          ? Self.text(block[345..<500]) : ""
        let short = Self.text(block[..<100])
        return Member(
          name: long ?? (prefix.isEmpty ? short : prefix + "/" + short), byteCount: count,
          isSparse: block[156] == UInt8(ascii: "S"))
      default: (long, size) = (nil, nil)
      }
    }
  }

  /// The bytes of the current member.
  func stream() -> PeekedStream { PeekedStream(MemberStream(self)) }

  fileprivate func take() throws(InputError) -> [UInt8] {
    guard remaining > 0 else { return [] }
    let bytes = try source.next(atMost: Int(min(remaining, 1 << 20)))
    if bytes.isEmpty {
      isCut = true
      remaining = 0
    }
    remaining -= UInt64(bytes.count)
    return bytes
  }

  var damage: String? {
    source.damage
      ?? (isCut ? "the archive around the dump ends early; what came before is read" : nil)
  }

  private func skip(_ count: UInt64) throws(InputError) {
    var left = count
    while left > 0 {
      let bytes = try source.next(atMost: Int(min(left, 1 << 20)))
      guard !bytes.isEmpty else {
        isCut = true
        return
      }
      left -= UInt64(bytes.count)
    }
  }

  /// The whole content of a small member.
  private func content() throws(InputError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < Self.nameLimit, case let more = try take(), !more.isEmpty { bytes += more }
    return bytes
  }

  // MARK: Fields

  /// A number in octal digits, or in GNU tar's binary form, whose first byte is 0x80.
  private static func number(_ field: ArraySlice<UInt8>) -> UInt64? {
    guard field.first == 0x80 else { return octal(field) }
    var value: UInt64 = 0
    for byte in field.dropFirst() {
      guard value < 1 << 54 else { return nil }
      value = value << 8 | UInt64(byte)
    }
    return value
  }

  private static func octal(_ field: ArraySlice<UInt8>) -> UInt64? {
    let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
    return UInt64(String(decoding: digits, as: UTF8.self), radix: 8)
  }

  private static func text(_ field: ArraySlice<UInt8>) -> String {
    String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// Path and size of a pax header: `LENGTH KEY=VALUE` and a line feed, again and again.
  private static func records(_ bytes: [UInt8], _ known: String?) -> (String?, UInt64?) {
    var (name, size) = (known, UInt64?.none)
    for line in bytes.split(separator: 0x0a) {
      guard let blank = line.firstIndex(of: 0x20) else { continue }
      let record = String(decoding: line[(blank + 1)...], as: UTF8.self)
      if record.hasPrefix("path=") { name = String(record.dropFirst(5)) }
      if record.hasPrefix("size=") { size = UInt64(record.dropFirst(5)) }
    }
    // Padding is computed from the size, which must not run over.
    return (name, size.flatMap { $0 < 1 << 62 ? $0 : nil })
  }

  private final class MemberStream: ByteStream {
    private let members: TarMembers

    init(_ members: TarMembers) { self.members = members }

    var damage: String? { members.damage }

    func next() throws(InputError) -> [UInt8] { try members.take() }
  }
}
