// SPDX-License-Identifier: Apache-2.0

/// Where one unit of `.debug_info` is, from its header alone.
struct CompileUnit: Hashable {
  /// In bytes, from the start of the section to the start of the header.
  var offset: Int
  /// With the header.
  var byteCount: Int
  var headerByteCount: Int
  var version: Int
  /// 8 in the 64-bit format, which no known kernel uses, otherwise 4.
  var offsetByteCount: Int
  /// Into `.debug_abbrev`.
  var abbreviations: Int

  /// Of a type unit: by what entries of other units refer to its type, and where in it that is.
  var signature: UInt64?
  var type: UInt64 = 0

  var end: Int { offset + byteCount }
}
