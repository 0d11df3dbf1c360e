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

  var end: Int { offset + byteCount }
}
