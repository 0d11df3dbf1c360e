// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// How an ELF image in memory is put together from sections of files, page by page.
///
/// A part starts in the image at the same place within a page as in its file, so that its pages can
/// be mapped. The image says that it is executable (`ET_EXEC`): nothing in it is to be relocated.
public struct ELFSectionImage: Sendable {
  /// Bytes of a file that become a section.
  public struct Part: Sendable {
    public var name: String
    /// Where they are in their file.
    public var range: Range<Int>

    public init(name: String, range: Range<Int>) {
      self.name = name
      self.range = range
    }
  }

  /// Where one part's pages go; `image` and `file` are multiples of the page.
  public struct Place: Hashable, Sendable {
    public var image: Int
    public var file: Int
    public var byteCount: Int
  }

  public static let pageSize = 4096

  /// The ELF header, the names of the sections and their headers; less than a page.
  public let head: [UInt8]
  /// In the order of the parts.
  public let places: [Place]
  /// Of the whole image.
  public let byteCount: Int

  /// Plans for at most eight parts with short names.
  public init(_ parts: [Part]) {
    var names: [UInt8] = [0]
    var sections: [UInt8] = []
    ELFSectionHeader().append(to: &sections)
    var places: [Place] = []
    var end = Self.pageSize
    func section(_ name: String, type: UInt32, offset: Int, byteCount: Int) {
      var section = ELFSectionHeader()
      section.nameOffset = UInt32(names.count)
      section.type = type
      section.offset = UInt64(offset)
      section.byteCount = UInt64(byteCount)
      section.alignment = 1
      section.append(to: &sections)
      names += Array(name.utf8) + [0]
    }
    for part in parts {
      let start = part.range.lowerBound & ~(Self.pageSize - 1)
      let byteCount = part.range.upperBound - start
      places.append(Place(image: end, file: start, byteCount: byteCount))
      section(
        part.name, type: ELFSectionHeader.Kind.program,
        offset: end + part.range.lowerBound - start, byteCount: part.range.count)
      end += (byteCount + Self.pageSize - 1) & ~(Self.pageSize - 1)
    }
    let ownName = ".shstrtab"
    section(
      ownName, type: ELFSectionHeader.Kind.strings, offset: ELFHeader.byteCount,
      byteCount: names.count + ownName.utf8.count + 1)
    names.pad(to: 8)

    var head: [UInt8] = []
    head.appendELFHeader(
      type: ELFHeader.Kind.executable, sectionsAt: ELFHeader.byteCount + names.count,
      sections: UInt16(parts.count + 2), names: UInt16(parts.count + 1))
    self.head = head + names + sections
    self.places = places
    byteCount = end
  }
}
