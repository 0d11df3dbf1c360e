// SPDX-License-Identifier: Apache-2.0

import Memory

/// Where the sections of a BTF blob lie; every range is inside the bytes.
///
/// Source: Linux `include/uapi/linux/btf.h`, `struct btf_header`:
///
///     0       2     3     4         8          12         16        20        24           28
///    | magic | ver | flg | hdr_len | type_off | type_len | str_off | str_len | layout_off | layout_len |
///
/// Offsets count from the end of the header. The last two words exist only where `hdr_len` says so:
/// since Linux commit 222edc843c15 ("btf: Add BTF kind layout encoding to UAPI").
struct BTFHeader {
  static let magic: UInt16 = 0xeb9f

  /// `struct btf_type` records, as byte offsets into the blob.
  var types: Range<Int>
  /// Names; starts and ends with a zero byte.
  var strings: Range<Int>
  /// Four bytes for each kind, empty where the blob does not describe its kinds.
  var layout: Range<Int>

  init(_ bytes: [UInt8]) throws(TypeError) {
    let magic = try bytes.btfWord(at: 0, as: UInt16.self)
    guard magic == Self.magic else {
      throw TypeError(
        "BTF starts with 0x\(String(magic, radix: 16)), not with its magic number 0xeb9f")
    }
    let version = try bytes.btfWord(at: 2, as: UInt8.self)
    guard version == 1 else {
      throw TypeError("BTF has version \(version), only version 1 is known")
    }
    let length = Int(try bytes.btfWord(at: 4, as: UInt32.self))
    guard length >= 24, length <= bytes.count else {
      throw TypeError("BTF claims a header of \(length) bytes, of \(bytes.count) in all")
    }
    types = try Self.section("types", at: 8, after: length, in: bytes)
    strings = try Self.section("strings", at: 16, after: length, in: bytes)
    layout = length >= 32 ? try Self.section("kinds", at: 24, after: length, in: bytes) : 0..<0
    guard let last = strings.last, bytes[strings.lowerBound] == 0, bytes[last] == 0 else {
      throw TypeError("BTF strings do not start and end with a zero byte")
    }
  }

  private static func section(
    _ name: String, at field: Int, after header: Int, in bytes: [UInt8]
  ) throws(TypeError) -> Range<Int> {
    // Sums of three values below 2^32, which an Int holds.
    let start = header + Int(try bytes.btfWord(at: field, as: UInt32.self))
    let end = start + Int(try bytes.btfWord(at: field + 4, as: UInt32.self))
    guard end <= bytes.count else {
      throw TypeError("BTF \(name) end at byte \(end) of \(bytes.count), the input is cut off")
    }
    return start..<end
  }
}

extension [UInt8] {
  /// Loads one little-endian field of BTF.
  @inline(__always)
  func btfWord<T>(
    at offset: Int, as type: T.Type = T.self
  ) throws(TypeError) -> T
  where T: FixedWidthInteger & BitwiseCopyable {
    do throws(BoundsError) {
      return try littleEndian(at: offset)
    } catch {
      throw TypeError("BTF is cut off: \(error)")
    }
  }
}

extension RawSpan {
  /// Loads one little-endian field of BTF.
  @inline(__always)
  func btfWord<T>(
    at offset: Int, as type: T.Type = T.self
  ) throws(TypeError) -> T
  where T: FixedWidthInteger & BitwiseCopyable {
    do throws(BoundsError) {
      return try littleEndian(at: offset)
    } catch {
      throw TypeError("BTF is cut off: \(error)")
    }
  }
}
