// SPDX-License-Identifier: Apache-2.0

import CElfutils
import Memory

/// The types of a kernel's DWARF; a reference that leaves its unit opens the other unit.
final class DWARFGraph {
  /// A type: an entry of a unit, or `void`, which DWARF says by leaving the type out.
  enum ID {
    case void
    case entry(UnitImage, UInt64)
  }

  let directory: UnitDirectory
  private let sections: DWARFSections
  /// Units opened because a reference led there.
  private var visited: [Int: UnitImage] = [:]
  private static let visitLimit = 64

  init(_ sections: DWARFSections) throws(TypeError) {
    self.sections = sections
    directory = try UnitDirectory(sections)
  }

  func image(_ index: Int) throws(TypeError) -> UnitImage {
    try UnitImage(directory.units[index], of: sections)
  }

  private func visit(_ offset: UInt64) throws(TypeError) -> ID {
    guard let offset = Int(exactly: offset), let index = directory.index(containing: offset) else {
      throw TypeError("DWARF refers to an entry at \(offset), which is in no unit")
    }
    return .entry(try visit(unit: index), UInt64(offset - directory.units[index].offset))
  }

  private func typeUnit(_ signature: UInt64) throws(TypeError) -> ID {
    guard let index = directory.units.firstIndex(where: { $0.signature == signature }) else {
      throw TypeError(
        "DWARF refers to type unit \(signature.hexadecimal), which is not in .debug_info")
    }
    return .entry(try visit(unit: index), directory.units[index].type)
  }

  private func visit(unit index: Int) throws(TypeError) -> UnitImage {
    let image: UnitImage
    if let known = visited[index] {
      image = known
    } else {
      image = try self.image(index)
      if visited.count >= Self.visitLimit { visited = [:] }
      visited[index] = image
    }
    return image
  }

  private func type(of entry: UInt64, in image: UnitImage) throws(TypeError) -> ID {
    switch try image.reference(DW_AT_type, of: entry) {
    case nil: .void
    case .local(let offset): .entry(image, offset)
    case .global(let offset): try visit(offset)
    case .signature(let signature): try typeUnit(signature)
    }
  }

  /// A size or count that is an `Int`; `nil` where it is missing or beyond one.
  private func count(
    _ attribute: Int, of entry: UInt64, in image: UnitImage
  ) throws(TypeError) -> Int? {
    try image.unsigned(attribute, of: entry).flatMap { Int(exactly: $0) }
  }
}

extension DWARFGraph: TypeGraph {
  func node(_ id: ID) throws(TypeError) -> TypeNode<ID> {
    guard case .entry(let image, let entry) = id else { return .void }
    switch try image.tag(entry) {
    case DW_TAG_base_type: return try number(entry, in: image)
    case DW_TAG_enumeration_type: return try enumeration(entry, in: image)
    case DW_TAG_pointer_type, DW_TAG_reference_type, DW_TAG_rvalue_reference_type:
      return .pointer(to: try type(of: entry, in: image))
    case DW_TAG_structure_type, DW_TAG_union_type, DW_TAG_class_type:
      // A declaration of a type that a type unit defines.
      if case .signature(let signature) = try image.reference(DW_AT_signature, of: entry) {
        return .alias(name: nil, of: try typeUnit(signature))
      }
      let byteCount = try count(DW_AT_byte_size, of: entry, in: image)
      let isDeclaration = try image.flag(DW_AT_declaration, of: entry)
      return .aggregate(
        name: try image.name(entry), byteCount: byteCount ?? 0,
        isComplete: byteCount != nil && !isDeclaration)
    case DW_TAG_array_type:
      return .array(of: try type(of: entry, in: image), count: try elementCount(entry, in: image))
    case DW_TAG_typedef:
      return .alias(name: try image.name(entry), of: try type(of: entry, in: image))
    case DW_TAG_const_type, DW_TAG_volatile_type, DW_TAG_restrict_type, DW_TAG_atomic_type,
      DW_TAG_immutable_type, DW_TAG_packed_type:
      return .alias(name: nil, of: try type(of: entry, in: image))
    default:
      return .other
    }
  }

  private func number(_ entry: UInt64, in image: UnitImage) throws(TypeError) -> TypeNode<ID> {
    let encoding = try image.unsigned(DW_AT_encoding, of: entry).flatMap { Int(exactly: $0) }
    guard let byteCount = try count(DW_AT_byte_size, of: entry, in: image) else { return .other }
    let isSigned: Bool
    switch encoding {
    case DW_ATE_signed, DW_ATE_signed_char: isSigned = true
    case DW_ATE_unsigned, DW_ATE_unsigned_char, DW_ATE_boolean, DW_ATE_UTF: isSigned = false
    default: return .other
    }
    return .integer(name: try image.name(entry), byteCount: byteCount, isSigned: isSigned)
  }

  private func enumeration(_ entry: UInt64, in image: UnitImage) throws(TypeError) -> TypeNode<ID> {
    guard let byteCount = try count(DW_AT_byte_size, of: entry, in: image) else { return .other }
    // gcc and clang name the integer type beneath; without it a negative value has a signed form.
    var isSigned = false
    if case .entry(let other, let base) = try type(of: entry, in: image),
      case .integer(_, _, let sign) = try number(base, in: other)
    {
      isSigned = sign
    } else {
      try image.forEachChild(of: entry) { (_, child) throws(TypeError) in
        let value = try image.signed(DW_AT_const_value, of: child)
        isSigned = value.map { $0.isSigned && $0.value < 0 } ?? false
        return !isSigned
      }
    }
    return .integer(name: try image.name(entry), byteCount: byteCount, isSigned: isSigned)
  }

  /// The product of all dimensions; `nil` where one of them has no length, or length zero, as BTF
  /// cannot tell `[0]` and `[]` apart.
  private func elementCount(_ entry: UInt64, in image: UnitImage) throws(TypeError) -> Int? {
    var product: Int?
    try image.forEachChild(of: entry) { (tag, child) throws(TypeError) in
      guard tag == DW_TAG_subrange_type else { return true }
      var count = try self.count(DW_AT_count, of: child, in: image)
      if count == nil, let last = try image.signed(DW_AT_upper_bound, of: child)?.value {
        // A bound of -1 is an array of no elements.
        count = last >= 0 && last < Int64.max ? Int(last) + 1 : 0
      }
      let next = (product ?? 1).multipliedReportingOverflow(by: count ?? 0)
      product = next.overflow || next.partialValue == 0 ? nil : next.partialValue
      return product != nil
    }
    return product
  }

  func forEachMember(
    of id: ID, _ body: (MemberNode<ID>) throws(TypeError) -> Void
  ) throws(TypeError) {
    guard case .entry(let image, let structure) = id else { return }
    try image.forEachChild(of: structure) { (tag, entry) throws(TypeError) in
      guard tag == DW_TAG_member else { return true }
      let type = try type(of: entry, in: image)
      let (offset, bits) = try place(of: entry, type, in: image)
      try body(
        MemberNode(name: try image.name(entry), type: type, bitOffset: offset, bitCount: bits))
      return true
    }
  }

  /// A member's first bit from the start of its structure and, for a bit-field, its width.
  ///
  /// Source: DWARF 5, section 5.7.6; DWARF 3, section 5.5.6 for `DW_AT_bit_offset`, which counts
  /// from the highest bit of the storage unit down.
  private func place(
    of entry: UInt64, _ type: ID, in image: UnitImage
  ) throws(TypeError) -> (offset: Int, bits: Int?) {
    let bits = try count(DW_AT_bit_size, of: entry, in: image)
    if let offset = try count(DW_AT_data_bit_offset, of: entry, in: image) { return (offset, bits) }
    let bytes = try image.location(DW_AT_data_member_location, of: entry) ?? 0
    guard bytes < 1 << 40 else {
      throw TypeError("DWARF has a member at offset \(bytes)")
    }
    guard let bits, let fromTop = try image.signed(DW_AT_bit_offset, of: entry)?.value else {
      return (Int(bytes) * 8, bits)
    }
    var storage = try count(DW_AT_byte_size, of: entry, in: image)
    if storage == nil { storage = try byteCount(type) }
    // A bit-field across two storage units starts before its own: a negative number of bits.
    guard let storage, 1...64 ~= storage, 1...512 ~= bits, -512...512 ~= fromTop else {
      throw TypeError("DWARF has a bit-field in a storage unit of unknown size")
    }
    return (Int(bytes) * 8 + storage * 8 - bits - Int(fromTop), bits)
  }

  /// Bytes of an integer behind typedefs and qualifiers.
  private func byteCount(_ type: ID) throws(TypeError) -> Int? {
    var type = type
    for _ in 0..<64 {
      switch try node(type) {
      case .alias(_, let next): type = next
      case .integer(_, let byteCount, _): return byteCount
      default: return nil
      }
    }
    return nil
  }
}
