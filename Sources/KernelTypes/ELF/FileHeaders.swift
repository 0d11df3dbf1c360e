// SPDX-License-Identifier: Apache-2.0

internal import CElfutils
internal import ELF
internal import Files

/// The sections and note segments of a kernel's ELF file.
struct FileHeaders {
  /// More sections than any kernel or module has.
  private static let sectionLimit: UInt64 = 1 << 20
  private static let segmentLimit: UInt64 = 4096
  /// Bytes of names; a kernel has a few thousand.
  private static let namesLimit: UInt64 = 64 << 20

  var sections: [ELFSection] = []
  /// Where the notes of each segment are, with their alignment.
  var noteSegments: [(range: Range<Int>, alignment: UInt64)] = []
  /// What is loaded where, virtual addresses; of each the first bytes are in the file.
  var loads: [(virtual: Range<UInt64>, file: Range<Int>)] = []
  var isRelocatable = false

  init(_ file: InputFile) throws(TypeError) {
    let source = FileSource(file: file)
    let header: ELFHeader
    do {
      header = try ELFHeader(source)
    } catch {
      switch error {
      case .otherClass(1):
        throw TypeError("\(file.path) is made for 32 bits, expected 64 bits of x86_64")
      case .otherEncoding:
        throw TypeError("\(file.path) is big-endian, expected 64 bits of x86_64")
      default: throw TypeError("\(file.path) is not an ELF file")
      }
    }
    guard header.machine == ELFHeader.amd64 else {
      throw TypeError(
        "\(file.path) is made for machine \(header.machine), expected 64 bits of "
          + "\(ELFHeader.amd64) (x86_64)")
    }
    isRelocatable = header.type == ELFHeader.Kind.relocatable
    let headers: [ELFSectionHeader]
    let names: [UInt8]
    do {
      headers = try header.sections(in: source, limit: Self.sectionLimit)
      names = Self.names(headers, at: try header.nameSection(in: source), in: file)
    } catch {
      throw TypeError("\(file.path) has no section headers, it is stripped or cut off")
    }
    guard !headers.isEmpty else {
      throw TypeError("\(file.path) has no section headers, it is stripped or cut off")
    }
    for (index, section) in headers.enumerated() {
      let name = Self.name(at: section.nameOffset, in: names)
      let isStored = section.type != ELFSectionHeader.Kind.noBytes
      guard let range = Self.range(section.offset, isStored ? section.byteCount : 0, in: file)
      else {
        throw TypeError(
          "\(file.path): section \(name ?? "\(index)") has \(section.byteCount) bytes at "
            + "\(section.offset), the file has \(file.byteCount); it is cut off")
      }
      sections.append(
        ELFSection(
          name: name ?? "", type: section.type, flags: section.flags, link: Int(section.link),
          info: Int(section.info), alignment: section.alignment, file: file, range: range))
    }
    // A kernel's segments are a second way to its notes; without them the sections serve.
    let segments = (try? header.segments(in: source, limit: Self.segmentLimit)) ?? []
    for segment in segments where segment.type == ELFSegment.Kind.note {
      if let range = Self.range(segment.offset, segment.fileSize, in: file) {
        noteSegments.append((range, segment.alignment))
      }
    }
    for segment in segments where segment.type == ELFSegment.Kind.load {
      let (end, overflow) = segment.virtual.addingReportingOverflow(segment.memorySize)
      guard !overflow, segment.fileSize <= segment.memorySize,
        let range = Self.range(segment.offset, segment.fileSize, in: file)
      else { continue }
      loads.append((segment.virtual..<end, range))
    }
  }

  /// The section of names; none where it is missing, cut or impossibly large.
  private static func names(
    _ headers: [ELFSectionHeader], at index: UInt64, in file: InputFile
  ) -> [UInt8] {
    guard let index = Int(exactly: index), headers.indices.contains(index),
      headers[index].byteCount <= namesLimit,
      let range = range(headers[index].offset, headers[index].byteCount, in: file)
    else { return [] }
    return (try? file.read(range)) ?? []
  }

  /// The string at `offset` up to its zero byte; `nil` where there is none.
  private static func name(at offset: UInt32, in names: [UInt8]) -> String? {
    guard Int(offset) < names.count, let end = names[Int(offset)...].firstIndex(of: 0) else {
      return nil
    }
    return String(decoding: names[Int(offset)..<end], as: UTF8.self)
  }

  /// The place in the file; `nil` where it is not inside.
  ///
  /// No bytes are nowhere.
  private static func range(_ offset: UInt64, _ count: UInt64, in file: InputFile) -> Range<Int>? {
    guard count > 0 else { return 0..<0 }
    guard let offset = Int(exactly: offset), let count = Int(exactly: count),
      offset <= file.byteCount, count <= file.byteCount - offset
    else { return nil }
    return offset..<offset + count
  }

  static func libelfError() -> String {
    // Constant strings; -1 asks for the last error of this thread.
    unsafe elf_errmsg(-1).map { unsafe String(cString: $0) } ?? "unknown error"
  }
}

/// A file as the decoder of headers sees it.
private struct FileSource: ELFSource {
  let file: InputFile

  func holds(_ count: UInt64, at offset: UInt64) -> Bool {
    let size = UInt64(file.byteCount)
    return offset <= size && count <= size - offset
  }

  func elfBytes(at offset: UInt64, count: Int) -> [UInt8]? {
    guard let start = Int(exactly: offset), start <= file.byteCount,
      count <= file.byteCount - start
    else { return nil }
    return try? file.read(start..<start + count)
  }
}
