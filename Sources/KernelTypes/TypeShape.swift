// SPDX-License-Identifier: Apache-2.0

/// What a member is made of, with typedefs, `const` and `volatile` already removed.
public indirect enum TypeShape: Hashable, Sendable {
  /// An integer, `bool`, `char` or enumeration.
  case integer(byteCount: Int, isSigned: Bool)
  /// A pointer; `pointee` is the C name of what it points to (`"pci_dev"`, `"void"`, `"int"`,
  /// `"qi_desc *"`), without `struct` or `union`, and `nil` where it has none.
  case pointer(to: String?)
  /// A structure or union; `name` is `nil` for an anonymous one.
  case structure(name: String?, byteCount: Int)
  /// An array; `count` is `nil` where the length is not part of the type (a flexible array).
  case array(of: TypeShape, count: Int?)
  /// Anything else: a function, a floating-point number, an incomplete type.
  case other

  /// Bytes that one value takes; `nil` where the type does not tell.
  public var byteCount: Int? {
    switch self {
    case .integer(let byteCount, _), .structure(_, let byteCount): byteCount
    case .pointer: 8
    case .array(let element, let count):
      if let size = element.byteCount, let count {
        size.multipliedReportingOverflow(by: count).overflow ? nil : size * count
      } else {
        nil
      }
    case .other: nil
    }
  }
}

/// One member of a structure, found by name or by path, with its place.
public struct Member: Hashable, Sendable {
  /// Offset in bytes from the start of the structure that was asked; for a bit-field, of the
  /// storage unit's first byte that holds it.
  public var offset: Int
  public var shape: TypeShape
  /// For a bit-field: its bits counted from bit 0 of the little-endian integer at `offset`.
  public var bits: Range<Int>?

  public init(offset: Int, shape: TypeShape, bits: Range<Int>? = nil) {
    self.offset = offset
    self.shape = shape
    self.bits = bits
  }
}
