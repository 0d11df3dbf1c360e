// SPDX-License-Identifier: Apache-2.0

internal import Files

/// A section of an ELF file and where its bytes are, inside the file.
struct ELFSection {
  var name: String
  /// `sh_type`, `sh_flags`, `sh_link`, `sh_info` and `sh_addralign` as they stand.
  var type: UInt32
  var flags: UInt64
  var link: Int
  var info: Int
  var alignment: UInt64
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
    return try file.bytes(start..<start + count)
  }

  /// Reads up to `count` bytes from `offset` on, fewer where the section ends, none beyond.
  func prefix(at offset: Int, upTo count: Int) throws(TypeError) -> [UInt8] {
    guard offset >= 0, offset < byteCount else { return [] }
    return try read(at: offset, count: min(count, byteCount - offset))
  }

  func read() throws(TypeError) -> [UInt8] { try file.bytes(range) }
}

extension ELFSection {
  /// Reads bytes inside the section, by their place in it, in place of the buffer's.
  func read(_ places: Range<Int>, into buffer: inout [UInt8]) throws(TypeError) {
    let range = range.lowerBound + places.lowerBound..<range.lowerBound + places.upperBound
    do {
      try file.read(range, into: &buffer)
    } catch {
      throw TypeError(error.description)
    }
  }
}

extension InputFile {
  /// Reads exactly the bytes of `range`.
  func bytes(_ range: Range<Int>) throws(TypeError) -> [UInt8] {
    try typed { () throws(FileError) in try read(range) }
  }
}

/// A file's failure as one of type information.
func typed<Result>(_ body: () throws(FileError) -> Result) throws(TypeError) -> Result {
  do {
    return try body()
  } catch {
    throw TypeError(error.description)
  }
}
