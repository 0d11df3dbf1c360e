// SPDX-License-Identifier: Apache-2.0

public import KernelTypes
public import Memory

/// One structure in the crashed kernel's memory; members are read when asked for.
public struct KernelObject {
  public let image: KernelImage
  public let layout: StructLayout
  public let address: KernelAddress

  public init(_ image: KernelImage, _ layout: StructLayout, at address: KernelAddress) {
    self.image = image
    self.layout = layout
    self.address = address
  }

  /// Whether this kernel's structure has a member of that name or path.
  public func has(_ path: String) throws(KernelError) -> Bool {
    try image.member(path, of: layout) != nil
  }

  public func member(_ path: String) throws(KernelError) -> Member {
    guard let member = try image.member(path, of: layout) else {
      throw KernelError(at: address, .noMember(structure: layout.name, member: path))
    }
    return member
  }

  /// The address of a member.
  public func address(of path: String) throws(KernelError) -> KernelAddress {
    try place(of: try member(path))
  }

  private func place(of member: Member) throws(KernelError) -> KernelAddress {
    guard let offset = UInt64(exactly: member.offset), let place = address.advanced(by: offset)
    else {
      throw KernelError(at: address, .malformed("struct \(layout.name) over the end of memory"))
    }
    return place
  }

  /// An integer, bit-field or pointer, zero-extended.
  public func unsigned(_ path: String) throws(KernelError) -> UInt64 {
    try unsigned(MemberPlace(path: path, member: try member(path)))
  }

  /// The same for a member that was looked up before, of this structure.
  func unsigned(_ wanted: MemberPlace) throws(KernelError) -> UInt64 {
    let (path, member) = (wanted.path, wanted.member)
    let place = try place(of: member)
    if let bits = member.bits {
      // A bit-field may start anywhere in its storage unit and reach into a ninth byte.
      guard bits.lowerBound >= 0, (1...64).contains(bits.count), bits.upperBound <= 128 else {
        throw KernelError(
          at: address, .shape(structure: layout.name, member: path, expected: "bit-field"))
      }
      let bytes = try image.reader.bytes(at: place, count: (bits.upperBound + 7) / 8)
      var value: UInt64 = 0
      for bit in bits.reversed() {
        value = value << 1 | UInt64(bytes[bit / 8] >> UInt8(bit % 8) & 1)
      }
      return value
    }
    return try integer(member.shape, at: place, path)
  }

  private func integer(
    _ shape: TypeShape, at place: KernelAddress, _ path: String
  ) throws(KernelError) -> UInt64 {
    switch shape {
    case .integer(1, _): return UInt64(try image.reader.littleEndian(at: place) as UInt8)
    case .integer(2, _): return UInt64(try image.reader.littleEndian(at: place) as UInt16)
    case .integer(4, _): return UInt64(try image.reader.littleEndian(at: place) as UInt32)
    case .integer(8, _), .pointer: return try image.reader.littleEndian(at: place)
    // `atomic_t` and friends: a structure around one integer.
    case .structure(_, 4): return UInt64(try image.reader.littleEndian(at: place) as UInt32)
    case .structure(_, 8): return try image.reader.littleEndian(at: place)
    default:
      throw KernelError(
        at: address, .shape(structure: layout.name, member: path, expected: "integer"))
    }
  }

  /// An integer, sign-extended where its type is signed.
  public func signed(_ path: String) throws(KernelError) -> Int64 {
    let value = try unsigned(path)
    let member = try member(path)
    guard case .integer(let byteCount, true) = member.shape else {
      return Int64(bitPattern: value)
    }
    // `unsigned` refused what is wider than 8 bytes or 64 bits.
    let width = UInt64(clamping: member.bits?.count ?? min(max(byteCount, 1), 8) * 8)
    guard (1...64).contains(width) else { return Int64(bitPattern: value) }
    return Int64(bitPattern: value << (64 - width)) >> Int64(64 - width)
  }

  /// A small count: an integer that must fit `Int` and not exceed `limit`.
  public func count(_ path: String, limit: Int) throws(KernelError) -> Int {
    let value = try unsigned(path)
    guard let count = Int(exactly: value), count <= limit else {
      throw KernelError(
        at: address,
        .malformed("struct \(layout.name) member \(path) is \(value), more than \(limit)"))
    }
    return count
  }

  /// A pointer's value; zero is a value.
  public func pointer(_ path: String) throws(KernelError) -> KernelAddress {
    KernelAddress(try unsigned(path))
  }

  /// The object that a pointer points to, `nil` for a null pointer.
  ///
  /// - Parameter name: the structure to read there; the pointer's own type by default.
  public func target(_ path: String, as name: String? = nil) throws(KernelError) -> KernelObject? {
    let pointer = try pointer(path)
    guard pointer.rawValue != 0 else { return nil }
    if let name { return try image.object(name, at: pointer) }
    guard case .pointer(let pointee?) = try member(path).shape else {
      throw KernelError(
        at: address, .shape(structure: layout.name, member: path, expected: "typed pointer"))
    }
    return try image.object(pointee, at: pointer)
  }

  /// An embedded structure.
  public func object(_ path: String) throws(KernelError) -> KernelObject {
    let member = try member(path)
    guard case .structure(let name?, _) = member.shape else {
      throw KernelError(
        at: address, .shape(structure: layout.name, member: path, expected: "named structure"))
    }
    return try image.object(name, at: try place(of: member))
  }

  /// Text: a `char` array, up to its zero byte, or the target of a `char *` (`nil` if null).
  public func string(_ path: String, limit: Int = 256) throws(KernelError) -> String? {
    let member = try member(path)
    let place = try place(of: member)
    switch member.shape {
    case .array(of: .integer(1, _), let count):
      return try image.reader.string(at: place, limit: min(limit, max(count ?? limit, 0)))
    case .pointer:
      let pointer = try pointer(path)
      return pointer.rawValue == 0
        ? nil : try image.reader.string(at: pointer, limit: limit)
    default:
      throw KernelError(
        at: address, .shape(structure: layout.name, member: path, expected: "text"))
    }
  }

  /// The length of an array member, as its type has it.
  public func arrayCount(_ path: String) throws(KernelError) -> Int {
    guard case .array(_, let count?) = try member(path).shape, count >= 0 else {
      throw KernelError(
        at: address, .shape(structure: layout.name, member: path, expected: "array"))
    }
    return count
  }

  /// The integer or pointer at `index` of an array member; bounds are the type's.
  public func element(_ path: String, _ index: Int) throws(KernelError) -> UInt64 {
    let member = try member(path)
    guard case .array(let element, let count) = member.shape,
      let size = element.byteCount.flatMap({ UInt64(exactly: $0) })
    else {
      throw KernelError(
        at: address, .shape(structure: layout.name, member: path, expected: "array"))
    }
    guard index >= 0, index < count ?? .max else {
      throw KernelError(
        at: address,
        .malformed("index \(index) outside struct \(layout.name) member \(path)"))
    }
    let (offset, overflow) = UInt64(index).multipliedReportingOverflow(by: size)
    guard !overflow, let place = try place(of: member).advanced(by: offset) else {
      throw KernelError(at: address, .malformed("struct \(layout.name) over the end of memory"))
    }
    return try integer(element, at: place, path)
  }
}

/// A member that is looked up once, for many objects of one structure.
struct MemberPlace {
  var path: String
  var member: Member
}

extension KernelImage {
  func place(of path: String, in layout: StructLayout) throws(KernelError) -> MemberPlace {
    guard let member = try member(path, of: layout) else {
      throw KernelError(.noMember(structure: layout.name, member: path))
    }
    return MemberPlace(path: path, member: member)
  }
}
