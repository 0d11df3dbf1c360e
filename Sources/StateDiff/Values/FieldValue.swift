// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// One side of a difference: what a field holds, in the form in which it is printed and encoded.
public enum FieldValue: Hashable, Sendable {
  case null
  case flag(Bool)
  case number(Int)
  /// An address or a register: `"0x…"` in JSON.
  case address(UInt64)
  case text(String)
  case list([FieldValue])
  /// Ranges of an allocator and the bytes in them.
  case figure(IOVAFigure)
  /// A row within a row, in the order of its members.
  case members([Member])

  public struct Member: Hashable, Sendable {
    public var name: String
    public var value: FieldValue

    public init(_ name: String, _ value: FieldValue) {
      self.name = name
      self.value = value
    }
  }
}

/// How many ranges of an allocator are in one state, and how large they are together.
public struct IOVAFigure: Hashable, Sendable {
  public var ranges: Int
  /// Saturates instead of wrapping.
  public var bytes: UInt64

  public init(ranges: Int = 0, bytes: UInt64 = 0) {
    self.ranges = ranges
    self.bytes = bytes
  }
}

extension FieldValue: Comparable {
  /// Unknown ones last; within a kind by value.
  public static func < (a: Self, b: Self) -> Bool {
    switch (a, b) {
    case (.number(let a), .number(let b)): a < b
    case (.address(let a), .address(let b)): a < b
    case (.text(let a), .text(let b)): a < b
    default: a.rank < b.rank
    }
  }

  private var rank: Int {
    switch self {
    case .flag: 0
    case .number: 1
    case .address: 2
    case .text: 3
    case .list: 4
    case .figure: 5
    case .members: 6
    case .null: 7
    }
  }
}

extension FieldValue: CustomStringConvertible {
  /// For a reader: `-` for unknown, lists with commas.
  public var description: String {
    switch self {
    case .null: "-"
    case .flag(let flag): flag ? "yes" : "no"
    case .number(let number): "\(number)"
    case .address(let address): address.hexadecimal
    case .text(let text): text
    case .list(let values):
      values.isEmpty ? "none" : values.map(\.description).joined(separator: ", ")
    case .figure(let figure):
      "\(figure.ranges) \(figure.ranges == 1 ? "range" : "ranges") of \(figure.bytes) bytes"
    case .members(let members):
      members.filter { $0.value != .null }.map { "\($0.value)" }.joined(separator: " ")
    }
  }
}

extension FieldValue {
  init(_ value: Bool?) { self = value.map(Self.flag) ?? .null }
  init(_ value: Int?) { self = value.map(Self.number) ?? .null }
  init(_ value: UInt32?) { self = value.map { .number(Int($0)) } ?? .null }
  init(_ value: (some Address)?) { self = value.map { .address($0.rawValue) } ?? .null }
  init(_ value: HexWord?) { self = value.map { .address($0.rawValue) } ?? .null }
  init(_ value: String?) { self = value.map(Self.text) ?? .null }
  init(_ value: DeviceName?) { self = value.map { .text($0.description) } ?? .null }
  init(_ value: (some RawRepresentable<String>)?) {
    self = value.map { .text($0.rawValue) } ?? .null
  }
  init(_ values: [DeviceName]) { self = .list(values.map { Self($0) }) }
}
