// SPDX-License-Identifier: Apache-2.0

/// The bytes that an ELF file's headers are decoded from: a file, a mapping, an unflattened stream.
public protocol ELFSource {
  /// Whether `count` bytes at `offset` are there and few enough to be asked for.
  func holds(_ count: UInt64, at offset: UInt64) -> Bool

  /// Exactly `count` bytes at `offset`; `nil` where they are not all there.
  func elfBytes(at offset: UInt64, count: Int) -> [UInt8]?
}

/// Why headers cannot be decoded; what that means is for the caller to say.
public enum ELFError: Error, Hashable, Sendable {
  /// The file ends inside its header, which has 64 bytes.
  case noHeader
  /// The first four bytes are not ELF's.
  case notELF
  /// `e_ident[EI_CLASS]` is not 2, 64 bits.
  case otherClass(UInt8)
  /// `e_ident[EI_DATA]` is not 1, little-endian.
  case otherEncoding(UInt8)
  /// A number is kept in section 0, which is not there.
  case noFirstSection(offset: UInt64)
  /// Records of another size than the format has.
  case recordSize(found: Int, expected: Int)
  /// A table of records that is not wholly in the file.
  case cut(count: UInt64, offset: UInt64)
  /// More records than the caller wants.
  case tooMany(count: UInt64)
}
