// SPDX-License-Identifier: Apache-2.0

/// What a member is made of, with typedefs, `const` and `volatile` already removed.
public indirect enum TypeShape: Hashable, Sendable {
  /// An integer, `bool`, `char` or enumeration.
  ///
  /// Plain `char` counts as unsigned: its sign changed in Linux 6.2, and BTF of older kernels does
  /// not tell it.
  case integer(byteCount: Int, isSigned: Bool)
  /// A pointer; `to` is the C name of what it points to (`"pci_dev"`, `"void"`, `"int"`,
  /// `"qi_desc *"`), without `struct` or `union`, behind qualifiers and typedefs (a typedef's own
  /// name only where the type has no other), and `nil` where it has none, as a function.
  case pointer(to: String?)
  /// A structure or union; `name` is its typedef's (`"atomic_t"`) where it has none of its own, and
  /// `nil` where it has neither.
  case structure(name: String?, byteCount: Int)
  /// An array; `count` is `nil` where the length is not part of the type (a flexible array).
  ///
  /// Several dimensions are one count of all elements, which is all that BTF keeps of them.
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
  /// Offset in bytes from the start of the structure that was asked; for a bit-field, of the byte
  /// that holds its first bit.
  public var offset: Int
  public var shape: TypeShape
  /// For a bit-field: its bits counted from bit 0 of the little-endian integer at `offset`.
  ///
  /// The first is 0 to 7; the last may lie beyond 63 only where a field of more than 56 bits does not
  /// start on a byte.
  public var bits: Range<Int>?

  public init(offset: Int, shape: TypeShape, bits: Range<Int>? = nil) {
    self.offset = offset
    self.shape = shape
    self.bits = bits
  }
}
