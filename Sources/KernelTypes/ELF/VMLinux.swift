// SPDX-License-Identifier: Apache-2.0

internal import ELF
public import Files
import Memory

/// A kernel's ELF file: its build identifier, its symbols and its type information.
///
/// Everything is read by offset, so that only what is asked for is ever brought into memory. A small object file that only describes types serves as well.
public final class VMLinux: Sendable {
  public let path: String
  /// Lower-case hexadecimal, from `.note.gnu.build-id` or a note segment; `nil` without such note.
  public let buildID: String?
  let file: InputFile
  /// In the file's order; the first, which ELF reserves, included.
  let sections: [ELFSection]
  private let loads: [(virtual: Range<UInt64>, file: Range<Int>)]
  /// An object file whose sections still have to be relocated (`ET_REL`).
  let isRelocatable: Bool

  /// Opens an x86_64 ELF file.
  ///
  /// - Throws: a message with the path if the file cannot be read, is of another kind, or is cut
  ///   off so that its headers are not there.
  public static func open(_ path: String) throws(TypeError) -> VMLinux {
    try VMLinux(typed { () throws(FileError) in try InputFile(path) })
  }

  /// Reads an open file.
  ///
  /// - Throws: as `open` with a path does.
  public static func open(_ file: InputFile) throws(TypeError) -> VMLinux { try VMLinux(file) }

  init(_ file: InputFile) throws(TypeError) {
    let headers = try FileHeaders(file)
    self.file = file
    path = file.path
    sections = headers.sections
    isRelocatable = headers.isRelocatable
    loads = headers.loads
    let notes =
      headers.sections.filter { $0.type == ELFSectionHeader.Kind.note }
      .map { ($0.range, $0.alignment) } + headers.noteSegments
    var buildID: String?
    for (range, alignment) in notes where buildID == nil {
      // A kernel's notes take 500 bytes; a larger claim is damage.
      buildID = Self.buildID(in: try file.bytes(range.prefix(1 << 16)), alignment: alignment)
    }
    self.buildID = buildID
  }

  public var hasDWARF: Bool {
    section(".debug_info") != nil && section(".debug_abbrev") != nil
  }

  public var hasBTF: Bool { section(".BTF") != nil }

  /// The kernel's BTF, or `nil` where it has none.
  public func btf() throws(TypeError) -> [UInt8]? {
    try section(".BTF")?.read()
  }

  /// Virtual addresses that the file's segments fill, as linked.
  public var loadedRanges: [Range<UInt64>] { loads.map(\.virtual) }

  /// The 4096 bytes from a virtual address on, as linked, with zeros where the file has none; `nil`
  /// where nothing of it is loaded.
  public func loadedPage(at address: UInt64) throws(TypeError) -> [UInt8]? {
    guard let load = loads.first(where: { $0.virtual.contains(address) }) else { return nil }
    let offset = address - load.virtual.lowerBound
    guard offset < UInt64(load.file.count) else { return [UInt8](repeating: 0, count: 4096) }
    let start = load.file.lowerBound + Int(offset)
    let bytes = try file.bytes(start..<min(load.file.upperBound, start + 4096))
    return bytes + [UInt8](repeating: 0, count: 4096 - bytes.count)
  }

  /// The first section of that name that has bytes.
  func section(_ name: String) -> ELFSection? {
    sections.first { $0.name == name && !$0.range.isEmpty }
  }

  /// The description of the first GNU build-id note: name `GNU`, type 3 (`NT_GNU_BUILD_ID`).
  ///
  /// - Parameter notes: bytes of a note section; such as a kernel has in its memory as well.
  public static func buildID(in notes: [UInt8], alignment: UInt64 = 4) -> String? {
    var reader = ELFNoteReader(notes, alignment: alignment)
    while case .note(let note) = reader.next() {
      guard note.type == 3, note.name == "GNU" else { continue }
      return note.bytes.reduce(into: "") { text, byte in
        text += String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
      }
    }
    return nil
  }
}

extension Range where Bound == Int {
  /// The range's first elements, at most `count`.
  fileprivate func prefix(_ count: Int) -> Range {
    lowerBound..<Swift.min(upperBound, lowerBound + count)
  }
}
