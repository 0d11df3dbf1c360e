// SPDX-License-Identifier: Apache-2.0

/// One type of a kernel's type information, seen one step deep.
///
/// BTF and DWARF say the same things in different words; each reader translates its words into
/// these, and `LayoutBuilder` alone decides what they mean. So both give one layout.
enum TypeNode<ID> {
  case void
  /// An integer, `bool`, `char` or enumeration.
  case integer(name: String?, byteCount: Int, isSigned: Bool)
  case pointer(to: ID)
  /// A structure or union; `isComplete` is false for a forward declaration.
  case aggregate(name: String?, byteCount: Int, isComplete: Bool)
  /// An array; `nil` for a length that is not in the type, of several dimensions the product.
  case array(of: ID, count: Int?)
  /// A typedef, which has a name, or a qualifier or attribute, which has none.
  case alias(name: String?, of: ID)
  case other
}

/// One member of a structure as its type information states it.
struct MemberNode<ID> {
  /// `nil` for an anonymous structure or union.
  var name: String?
  var type: ID
  /// From the start of the structure that declares it; bits are numbered as in a little-endian
  /// integer, so bit 0 is the lowest bit of the first byte.
  var bitOffset: Int
  /// `nil` unless the member is a bit-field.
  var bitCount: Int?
}

/// Type information that can be walked one step at a time.
protocol TypeGraph {
  associatedtype ID

  func node(_ id: ID) throws(TypeError) -> TypeNode<ID>

  /// Calls `body` for each direct member in declaration order. Nothing is collected, because the
  /// number of members is the input's claim.
  func forEachMember(
    of id: ID, _ body: (MemberNode<ID>) throws(TypeError) -> Void
  ) throws(TypeError)
}
