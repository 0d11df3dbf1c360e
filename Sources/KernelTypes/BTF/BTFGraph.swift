// SPDX-License-Identifier: Apache-2.0

import Memory

/// The types of a BTF blob by identifier, decoded when they are asked for.
struct BTFGraph {
  /// A name longer than this is damage; the kernel's own limit is 512 (`KSYM_NAME_LEN`).
  private static let nameLimit = 1024
  /// Definitions of one name; kernels have at most a few.
  private static let definitionLimit = 64

  private let bytes: [UInt8]
  private let header: BTFHeader
  /// Where each type's record starts, as byte offset into the blob; entry 0 is `void`, unused.
  let offsets: [UInt32]
  /// Structures, unions and typedefs with a name, in the blob's order.
  private let named: [(hash: UInt32, id: UInt32)]
  /// Enumerations of either width.
  private let enumerations: [UInt32]
  /// Whether enumerations state their sign.
  ///
  /// Before Linux commit 6089fb325cf7 ("bpf: Add btf enum64
  /// support") the flag did not exist and values were signed.
  private let enumerationsHaveSign: Bool
  /// 32-bit enumerations with a value that is negative if values are signed.
  private let negative: Set<UInt32>

  /// One `struct btf_type`: three words, and where what follows them starts.
  private struct Record {
    var offset: Int
    var nameOffset: UInt32
    var info: UInt32
    /// Byte count, or identifier of the type referred to.
    var word: UInt32

    // 24 bits of length and 7 of kind since Linux commit f7a6b9eaff3e ("bpf: Extend BTF UAPI vlen,
    // kinds to use unused bits"); before that the upper bits of both were zero.
    var count: Int { Int(info & 0xff_ffff) }
    var kind: BTFKind { BTFKind(rawValue: UInt8(truncatingIfNeeded: info >> 24) & 0x7f) }
    var kindFlag: Bool { info >> 31 == 1 }
    var trailer: Int { offset + 12 }
  }

  init(_ bytes: [UInt8]) throws(TypeError) {
    let header = try BTFHeader(bytes)
    guard UInt32(exactly: bytes.count) != nil else {
      throw TypeError("BTF of \(bytes.count) bytes is larger than its own offsets can tell")
    }
    var offsets: [UInt32] = [0]
    // A kernel's types take 25 bytes on average.
    offsets.reserveCapacity(header.types.count / 24 + 1)
    var named: [(hash: UInt32, id: UInt32)] = []
    var enumerations: [UInt32] = []
    var hasSign = false
    var negative: Set<UInt32> = []
    var offset = header.types.lowerBound
    // Elements are bytes, so no byte between them is padding.
    let span = unsafe bytes.span.bytes
    while offset < header.types.upperBound {
      let id = UInt32(truncatingIfNeeded: offsets.count)
      let record = try Self.record(at: offset, in: span)
      let trailer: (once: Int, each: Int)
      if let known = record.kind.trailer {
        trailer = known
      } else if let described = try Self.layout(of: record.kind, header, bytes) {
        trailer = described
      } else {
        throw TypeError(
          "BTF type \(id) at byte \(offset) has kind \(record.kind.rawValue), which is not known, "
            + "and types after it cannot be found")
      }
      // At most 12 + 255 + 255 * 2^24, no overflow.
      let end = record.trailer + trailer.once + trailer.each * record.count
      guard end <= header.types.upperBound else {
        throw TypeError(
          "BTF type \(id) at byte \(offset) ends at byte \(end), types end at "
            + "\(header.types.upperBound)")
      }
      switch record.kind {
      case .structure, .union, .typedef:
        let start = header.strings.lowerBound + Int(record.nameOffset)
        if record.nameOffset != 0, start < header.strings.upperBound {
          named.append((Self.hash(span, start..<header.strings.upperBound), id))
        }
      case .enumeration:
        enumerations.append(id)
        hasSign = hasSign || record.kindFlag
        for value in stride(from: record.trailer + 4, to: end, by: 8)
        where try span.btfWord(at: value + 3, as: UInt8.self) >= 0x80 {
          negative.insert(id)
        }
      case .enumeration64:
        enumerations.append(id)
        hasSign = true
      default: break
      }
      offsets.append(UInt32(truncatingIfNeeded: offset))
      offset = end
    }
    self.bytes = bytes
    self.header = header
    self.offsets = offsets
    self.named = named
    self.enumerations = enumerations
    enumerationsHaveSign = hasSign
    self.negative = hasSign ? [] : negative
  }

  /// What the blob itself says of a kind that we do not know.
  private static func layout(
    of kind: BTFKind, _ header: BTFHeader, _ bytes: [UInt8]
  ) throws(TypeError) -> (once: Int, each: Int)? {
    let entry = header.layout.lowerBound + 4 * Int(kind.rawValue)
    guard kind.rawValue != 0, entry + 4 <= header.layout.upperBound else { return nil }
    return (Int(bytes[entry]), Int(bytes[entry + 1]))
  }

  private static func record(at offset: Int, in bytes: RawSpan) throws(TypeError) -> Record {
    if offset >= 0, bytes.byteCount >= 12, offset <= bytes.byteCount - 12 {
      /// A word of the record.
      @inline(__always)
      func word(_ index: Int) -> UInt32 {
        // The record's three words lie in the span, checked above, and any bits are a number.
        unsafe UInt32(
          littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset &+ index, as: UInt32.self))
      }
      return Record(offset: offset, nameOffset: word(0), info: word(4), word: word(8))
    }
    return Record(
      offset: offset, nameOffset: try bytes.btfWord(at: offset),
      info: try bytes.btfWord(at: offset + 4), word: try bytes.btfWord(at: offset + 8))
  }

  /// The record of type `id`, which is not 0.
  private func record(_ id: UInt32) throws(TypeError) -> Record {
    guard let index = Int(exactly: id), index < offsets.count else {
      throw TypeError("BTF refers to type \(id), the last is \(offsets.count - 1)")
    }
    // Elements are bytes, so no byte between them is padding.
    return try Self.record(at: Int(offsets[index]), in: unsafe bytes.span.bytes)
  }

  // MARK: Names

  /// The name at an offset into the strings; `nil` for the empty one.
  private func name(_ offset: UInt32) throws(TypeError) -> String? {
    let start = header.strings.lowerBound + Int(offset)
    guard start < header.strings.upperBound else {
      throw TypeError("BTF refers to string \(offset), strings have \(header.strings.count) bytes")
    }
    var end = start
    while bytes[end] != 0 {  // Strings end with a zero byte, so this stops inside them.
      end += 1
      guard end - start <= Self.nameLimit else {
        throw TypeError("BTF string \(offset) is longer than \(Self.nameLimit) bytes")
      }
    }
    return start == end ? nil : String(decoding: bytes[start..<end], as: UTF8.self)
  }

  /// Whether the string at `offset` is exactly `name`; an offset outside the strings is no match.
  private func isName(_ offset: UInt32, _ name: [UInt8]) -> Bool {
    let start = header.strings.lowerBound + Int(offset)
    guard start < header.strings.upperBound, name.count < header.strings.upperBound - start,
      bytes[start] == name[0], bytes[start + name.count] == 0
    else { return false }
    for index in 1..<max(1, name.count) where bytes[start + index] != name[index] { return false }
    return true
  }

  /// A hash of a name's first bytes, up to its end (FNV-1a).
  private static func hash(_ bytes: RawSpan, _ name: Range<Int>) -> UInt32 {
    var hash: UInt32 = 0x811c_9dc5
    for place in name.clamped(to: 0..<bytes.byteCount).prefix(48) {
      // The place is one of the span's, and any bits are a number.
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: place, as: UInt8.self)
      guard byte != 0 else { break }
      hash = (hash ^ UInt32(byte)) &* 0x0100_0193
    }
    return hash
  }

  /// The bytes of a name that can be searched for; `nil` where it cannot be a name.
  private static func searchable(_ name: String) -> [UInt8]? {
    let bytes = Array(name.utf8)
    return bytes.isEmpty || bytes.count > nameLimit || bytes.contains(0) ? nil : bytes
  }

  /// Every definition of that name in the blob's order; of typedefs only if there is none.
  ///
  /// Forward declarations are a kind of their own and never match.
  func aggregates(
    named name: String
  ) throws(TypeError) -> [(id: UInt32, byteCount: Int, isUnion: Bool)] {
    guard let wanted = Self.searchable(name) else { return [] }
    var found: [(id: UInt32, byteCount: Int, isUnion: Bool)] = []
    var typedefs: [UInt32] = []
    // Elements are bytes, so no byte between them is padding.
    let hash = Self.hash(unsafe wanted.span.bytes, wanted.indices)
    for candidate in named where candidate.hash == hash {
      let id = candidate.id
      let record = try record(id)
      guard isName(record.nameOffset, wanted) else { continue }
      if record.kind == .typedef {
        if typedefs.count < Self.definitionLimit { typedefs.append(id) }
      } else {
        guard found.count < Self.definitionLimit else {
          throw TypeError("BTF defines \(name) more than \(Self.definitionLimit) times")
        }
        found.append((id, Int(record.word), record.kind == .union))
      }
    }
    guard found.isEmpty else { return found }
    for id in typedefs {
      guard let target = try LayoutBuilder(self).aggregate(behind: id) else { continue }
      let isUnion = try record(target.id).kind == .union
      found.append((target.id, target.byteCount, isUnion))
    }
    return found
  }

  // MARK: Enumerations

  func enumerator(named name: String) throws(TypeError) -> Int64? {
    guard let wanted = Self.searchable(name) else { return nil }
    for id in enumerations {
      let record = try record(id)
      let stride = record.kind == .enumeration64 ? 12 : 8
      for index in 0..<record.count {
        let offset = record.trailer + index * stride
        guard isName(try bytes.btfWord(at: offset), wanted) else { continue }
        return try value(at: offset, of: record)
      }
    }
    return nil
  }

  /// The value of the enumerator at `offset`; one of 64 bits that is unsigned and does not fit
  /// keeps its bits.
  private func value(at offset: Int, of record: Record) throws(TypeError) -> Int64 {
    let low: UInt32 = try bytes.btfWord(at: offset + 4)
    guard record.kind == .enumeration64 else {
      return record.kindFlag || !enumerationsHaveSign
        ? Int64(Int32(bitPattern: low)) : Int64(low)
    }
    let high: UInt32 = try bytes.btfWord(at: offset + 8)
    return Int64(bitPattern: UInt64(high) << 32 | UInt64(low))
  }
}

extension BTFGraph: TypeGraph {
  func node(_ id: UInt32) throws(TypeError) -> TypeNode<UInt32> {
    guard id != 0 else { return .void }
    let record = try record(id)
    switch record.kind {
    case .integer:
      // BTF_INT_SIGNED is bit 0 of the encoding.
      let encoding: UInt32 = try bytes.btfWord(at: record.trailer)
      return .integer(
        name: try name(record.nameOffset), byteCount: Int(record.word),
        isSigned: encoding >> 24 & 1 == 1)
    case .enumeration, .enumeration64:
      return .integer(
        name: try name(record.nameOffset), byteCount: Int(record.word),
        isSigned: enumerationsHaveSign ? record.kindFlag : negative.contains(id))
    case .pointer:
      return .pointer(to: record.word)
    case .array:
      // struct btf_array: element type, index type, number of elements. Zero is also how BTF writes
      // a flexible array.
      let count: UInt32 = try bytes.btfWord(at: record.trailer + 8)
      return .array(
        of: try bytes.btfWord(at: record.trailer), count: count == 0 ? nil : Int(count))
    case .structure, .union:
      return .aggregate(
        name: try name(record.nameOffset), byteCount: Int(record.word), isComplete: true)
    case .forward:
      return .aggregate(name: try name(record.nameOffset), byteCount: 0, isComplete: false)
    case .typedef:
      return .alias(name: try name(record.nameOffset), of: record.word)
    case .volatile, .const, .restrict, .typeTag:
      return .alias(name: nil, of: record.word)
    default:
      return .other
    }
  }

  func forEachMember(
    of id: UInt32, _ body: (MemberNode<UInt32>) throws(TypeError) -> Void
  ) throws(TypeError) {
    guard id != 0 else { return }
    let record = try record(id)
    guard record.kind == .structure || record.kind == .union else { return }
    for index in 0..<record.count {
      // struct btf_member: name, type, offset.
      let offset = record.trailer + index * 12
      let type: UInt32 = try bytes.btfWord(at: offset + 4)
      let place: UInt32 = try bytes.btfWord(at: offset + 8)
      var member = MemberNode(
        name: try name(try bytes.btfWord(at: offset)), type: type, bitOffset: Int(place),
        bitCount: nil)
      if record.kindFlag {
        member.bitOffset = Int(place & 0xff_ffff)
        member.bitCount = place >> 24 == 0 ? nil : Int(place >> 24)
      } else if let bits = try integerBits(type) {
        member.bitOffset += bits.offset
        member.bitCount = bits.count
      }
      try body(member)
    }
  }

  /// Where a member's integer type is itself narrower than its bytes, its bits: how bit-fields are
  /// written without the kind flag.
  private func integerBits(_ id: UInt32) throws(TypeError) -> (offset: Int, count: Int)? {
    guard id != 0 else { return nil }
    let record = try record(id)
    guard record.kind == .integer else { return nil }
    let encoding: UInt32 = try bytes.btfWord(at: record.trailer)
    let bits = (offset: Int(encoding >> 16 & 0xff), count: Int(encoding & 0xff))
    return bits.offset != 0 || bits.count != Int(record.word) &* 8 ? bits : nil
  }
}
