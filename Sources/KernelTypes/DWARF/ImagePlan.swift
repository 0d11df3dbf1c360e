// SPDX-License-Identifier: Apache-2.0

/// How an ELF image in memory is put together from parts of files, page by page.
///
/// A part starts in the image at the same place within a page as in its file, so that its pages can
/// be mapped.
struct ImagePlan {
  /// Where one part's pages go; all three are multiples of the page but the last.
  struct Place {
    var image: Int
    var file: Int
    var byteCount: Int
  }

  static let page = 4096

  /// The ELF header, the names of the sections and their headers; less than a page.
  let headers: [UInt8]
  let places: [Place]
  /// Of the whole image.
  let byteCount: Int

  /// Plans for at most eight parts with short names, which become sections of the same names.
  init(_ parts: [ELFSection]) {
    var names: [UInt8] = [0]
    var sections = [UInt8](repeating: 0, count: 64)
    var places: [Place] = []
    var end = Self.page
    for part in parts {
      let start = part.range.lowerBound / Self.page * Self.page
      let byteCount = part.range.upperBound - start
      places.append(Place(image: end, file: start, byteCount: byteCount))
      sections += Self.section(
        name: names.count, type: 1, offset: end + part.range.lowerBound - start,
        byteCount: part.byteCount)
      names += Array(part.name.utf8) + [0]
      end += (byteCount + Self.page - 1) / Self.page * Self.page
    }
    let ownName = names.count
    names += Array(".shstrtab".utf8) + [0]
    sections += Self.section(name: ownName, type: 3, offset: 64, byteCount: names.count)
    names += [UInt8](repeating: 0, count: (8 - names.count % 8) % 8)

    // Elf64_Ehdr: 64-bit, little-endian, version 1; ET_EXEC of EM_X86_64.
    var header: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    header += Self.bytes(2, 2) + Self.bytes(62, 2) + Self.bytes(1, 4)
    header += Self.bytes(0, 8) + Self.bytes(0, 8) + Self.bytes(64 + names.count, 8)
    header += Self.bytes(0, 4) + Self.bytes(64, 2) + Self.bytes(0, 4)
    header += Self.bytes(64, 2) + Self.bytes(parts.count + 2, 2) + Self.bytes(parts.count + 1, 2)
    headers = header + names + sections
    self.places = places
    byteCount = end
  }

  /// One Elf64_Shdr.
  private static func section(name: Int, type: Int, offset: Int, byteCount: Int) -> [UInt8] {
    bytes(name, 4) + bytes(type, 4) + bytes(0, 16) + bytes(offset, 8) + bytes(byteCount, 8)
      + bytes(0, 8) + bytes(1, 8) + bytes(0, 8)
  }

  private static func bytes(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> ($0 * 8)) : 0 }
  }
}
