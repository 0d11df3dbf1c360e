// SPDX-License-Identifier: Apache-2.0

/// Writes BTF type by type; each method returns the new type's identifier.
public struct BTFBuilder: Sendable {
  public var types: [UInt8] = []
  public var strings: [UInt8] = [0]
  /// Two bytes of sizes for each kind, as `struct btf_layout` has them; empty for no such section.
  public var kindLayouts: [(once: UInt8, each: UInt8)] = []
  public private(set) var count: UInt32 = 0
  /// The last type of each name.
  public private(set) var ids: [String: UInt32] = [:]

  public init() {}

  public struct Field: Sendable {
    public var name: String
    public var type: UInt32
    public var bit: UInt32
    public var bits: UInt32?

    public init(_ name: String, _ type: UInt32, bit: UInt32, bits: UInt32? = nil) {
      self.name = name
      self.type = type
      self.bit = bit
      self.bits = bits
    }
  }

  public mutating func string(_ text: String) -> UInt32 {
    guard !text.isEmpty else { return 0 }
    defer { strings += Array(text.utf8) + [0] }
    return UInt32(strings.count)
  }

  @discardableResult
  public mutating func type(
    _ kind: UInt32, _ name: String = "", flag: Bool = false, count: Int = 0, word: UInt32 = 0,
    trailer: [UInt32] = []
  ) -> UInt32 {
    let info = UInt32(count) | kind << 24 | (flag ? 1 << 31 : 0)
    for value in [string(name), info, word] + trailer { types += Self.bytes(value) }
    self.count += 1
    ids[name] = self.count
    return self.count
  }

  public mutating func integer(
    _ name: String, _ size: UInt32, signed: Bool = false, bits: UInt32? = nil, at: UInt32 = 0
  ) -> UInt32 {
    type(1, name, word: size, trailer: [(signed ? 1 << 24 : 0) | at << 16 | (bits ?? size * 8)])
  }
  public mutating func pointer(_ target: UInt32) -> UInt32 { type(2, word: target) }
  public mutating func array(_ element: UInt32, _ count: UInt32) -> UInt32 {
    type(3, trailer: [element, element, count])
  }
  public mutating func structure(
    _ name: String, _ size: UInt32, union: Bool = false, flag: Bool? = nil, _ fields: [Field]
  ) -> UInt32 {
    let flag = flag ?? fields.contains { $0.bits != nil }
    var trailer: [UInt32] = []
    for field in fields {
      trailer += [string(field.name), field.type, field.bit | (field.bits ?? 0) << 24]
    }
    return type(union ? 5 : 4, name, flag: flag, count: fields.count, word: size, trailer: trailer)
  }
  public mutating func enumeration(
    _ name: String, size: UInt32 = 4, signed: Bool = false, _ values: [(String, Int64)]
  ) -> UInt32 {
    var trailer: [UInt32] = []
    for (name, value) in values {
      trailer += [string(name), UInt32(truncatingIfNeeded: value)]
      if size == 8 { trailer.append(UInt32(truncatingIfNeeded: value >> 32)) }
    }
    return type(
      size == 8 ? 19 : 6, name, flag: signed, count: values.count, word: size, trailer: trailer)
  }
  public mutating func forward(_ name: String, union: Bool = false) -> UInt32 {
    type(7, name, flag: union)
  }
  public mutating func typedef(_ name: String, _ target: UInt32) -> UInt32 {
    type(8, name, word: target)
  }
  public mutating func volatile(_ target: UInt32) -> UInt32 { type(9, word: target) }
  public mutating func const(_ target: UInt32) -> UInt32 { type(10, word: target) }
  public mutating func restrict(_ target: UInt32) -> UInt32 { type(11, word: target) }
  public mutating func prototype(_ result: UInt32, _ parameters: [UInt32]) -> UInt32 {
    type(13, count: parameters.count, word: result, trailer: parameters.flatMap { [0, $0] })
  }
  public mutating func typeTag(_ name: String, _ target: UInt32) -> UInt32 {
    type(18, name, word: target)
  }

  public var bytes: [UInt8] {
    let header: UInt32 = kindLayouts.isEmpty ? 24 : 32
    var result: [UInt8] = [0x9f, 0xeb, 1, 0]
    let layouts: [UInt8] = kindLayouts.flatMap { [$0.once, $0.each, 0, 0] as [UInt8] }
    var words = [
      header, 0, UInt32(types.count), UInt32(types.count + layouts.count), UInt32(strings.count),
    ]
    if !kindLayouts.isEmpty { words += [UInt32(types.count), UInt32(layouts.count)] }
    for word in words { result += Self.bytes(word) }
    return result + types + layouts + strings
  }

  private static func bytes(_ word: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
  }
}
