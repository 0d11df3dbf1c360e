// SPDX-License-Identifier: Apache-2.0

internal import ELF
internal import Memory

/// The headers of an ELF core of an x86_64 machine.
///
/// Section headers are not looked at, except for the count of program headers that section 0 holds
/// when there are 65,535 or more (`PN_XNUM`).
struct CoreHeaders: Sendable {
  /// `e_flags` bit that makedumpfile sets when it ran out of space (`DUMP_ELF_INCOMPLETE`).
  private static let incompleteFlag: UInt32 = 1
  /// More program headers than this are refused: a terabyte of memory filtered into the smallest
  /// holes that makedumpfile leaves has a million.
  private static let segmentLimit: UInt64 = 1 << 22

  /// In file order; at least one.
  let segments: [ELFSegment]
  /// Whether makedumpfile ran out of space.
  let isIncomplete: Bool
  /// The guest's memory, where the file is Xen's and has sections in place of segments.
  let xen: XenCore?

  init(_ bytes: DumpBytes) throws(DumpError) {
    let name = bytes.name
    let header: ELFHeader
    do {
      header = try ELFHeader(bytes, narrow: true)
    } catch {
      throw Self.failure(error, bytes)
    }
    // QEMU calls a machine whose first processor is not in long mode one of 32 bits, whatever its
    // kernel is, and Xen's cores call it what the toolstack was built for.
    guard
      header.machine == ELFHeader.amd64 || header.isNarrow && header.machine == ELFHeader.i386
    else {
      throw DumpError(
        name, .unsupported,
        "expected machine \(ELFHeader.amd64) (x86_64), found machine \(header.machine); "
          + "only dumps of x86_64 machines are supported")
    }
    guard header.type == ELFHeader.Kind.core else {
      throw DumpError(
        name, .notADump,
        "expected an ELF core (type 4), found ELF type \(header.type); "
          + "name the dump here, and a kernel with --vmlinux")
    }
    do {
      segments = try header.segments(in: bytes, limit: Self.segmentLimit)
    } catch {
      throw Self.failure(error, bytes)
    }
    xen = segments.isEmpty ? try XenCore(header, bytes) : nil
    guard !segments.isEmpty || xen != nil else {
      throw DumpError(name, .corrupt, "expected program headers, found none; copy the dump again")
    }
    isIncomplete = header.flags & Self.incompleteFlag != 0
  }

  /// What is wrong with the headers, in words that fit a dump.
  private static func failure(_ error: ELFError, _ bytes: DumpBytes) -> DumpError {
    let name = bytes.name
    switch error {
    case .noHeader, .notELF:
      return DumpError(
        name, .corrupt,
        "expected an ELF header of 64 bytes, found \(bytes.count); copy the dump again")
    case .otherClass(let found):
      return DumpError(
        name, .unsupported,
        "expected a 64-bit ELF core, found class \(found); only dumps of x86_64 machines are supported"
      )
    case .otherEncoding(let found):
      return DumpError(
        name, .unsupported,
        "expected a little-endian ELF core, found data encoding "
          + "\(found) (2 is big-endian); "
          + "only dumps of x86_64 machines are supported")
    case .noFirstSection(let offset):
      return DumpError(
        name, .corrupt,
        "expected the count of program headers in a section header at offset "
          + "\(offset.hexadecimal), because e_phnum is 0xffff; the dump has "
          + "\(bytes.count) bytes, it is damaged")
    case .recordSize(let found, let expected):
      return DumpError(
        name, .corrupt,
        "expected program headers of \(expected) bytes, found \(found); "
          + "the header is damaged")
    case .cut(let count, let offset):
      // makedumpfile writes them to the stream last, because they tell the segments' sizes.
      if let obstacle = bytes.obstacle {
        return DumpError(
          name, .corrupt,
          "expected \(count) program headers, found none: \(obstacle), but without the headers "
            + "nothing tells the pages' addresses; copy the dump again")
      }
      return DumpError(
        name, .corrupt,
        "expected \(count) program headers at offset \(offset.hexadecimal), "
          + "the dump has \(bytes.count) bytes; it is damaged or cut in its headers")
    case .tooMany(let count):
      return DumpError(
        name, .unsupported,
        "expected at most \(segmentLimit) program headers, found \(count); "
          + "write the dump again in the kdump-compressed format")
    }
  }
}

extension DumpBytes: ELFSource {
  func holds(_ count: UInt64, at offset: UInt64) -> Bool {
    count <= fileByteCount && missing(at: offset, length: count) == nil
  }

  func elfBytes(at offset: UInt64, count: Int) -> [UInt8]? { try? copy(at: offset, length: count) }
}

extension NoteList {
  /// Reads every note segment of an ELF core, in file order.
  mutating func read(_ headers: CoreHeaders, from bytes: DumpBytes) {
    for segment in headers.segments where segment.type == ELFSegment.Kind.note {
      read(
        from: bytes, at: segment.offset, length: segment.fileSize, alignment: segment.alignment)
    }
  }
}
