// SPDX-License-Identifier: Apache-2.0

/// A section of an ELF file and where its bytes are, inside the file.
struct ELFSection {
  var name: String
  /// `sh_type`, `sh_flags`, `sh_link` and `sh_info` as they stand.
  var type: UInt32
  var flags: UInt64
  var link: Int
  var info: Int
  var file: InputFile
  /// Inside the file; empty for a section without bytes (`SHT_NOBITS`).
  var range: Range<Int>

  var byteCount: Int { range.count }

  /// Reads `count` bytes from `offset` on.
  func read(at offset: Int, count: Int) throws(TypeError) -> [UInt8] {
    guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else {
      throw TypeError(
        "\(file.path): \(name) has \(byteCount) bytes, expected \(count) at \(offset)")
    }
    let start = range.lowerBound + offset
    return try file.read(start..<start + count)
  }

  /// Reads up to `count` bytes from `offset` on, fewer where the section ends, none beyond.
  func prefix(at offset: Int, upTo count: Int) throws(TypeError) -> [UInt8] {
    guard offset >= 0, offset < byteCount else { return [] }
    return try read(at: offset, count: min(count, byteCount - offset))
  }

  func read() throws(TypeError) -> [UInt8] { try file.read(range) }
}
