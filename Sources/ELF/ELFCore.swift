// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// The beginning of an ELF core file that holds pages of physical memory.
///
///     header, program headers, notes
///     the pages of all runs, from the next multiple of 4096 on, in order; then parts of pages
///
/// From 65,535 segments on, section 0 holds their number, and what tells what the file is stands in
/// front of them:
///
///     header, section 0, notes, program headers
///
/// There the program headers begin a whole number of headers behind the file's, so that a reader
/// which looks for them right behind it is not thrown out of step.
///
/// Equal runs and notes give equal bytes.
///
/// Source: System V ABI, chapters 4 and 5; elf(5) for `PN_XNUM`.
public struct ELFCore: Sendable {
  /// From so many program headers on, section 0 holds their number.
  public static let extendedCountLimit = 0xffff
  private static let pageSize = 4096

  /// Everything in front of the pages.
  public let head: [UInt8]

  /// - Parameters:
  ///   - notes: in order.
  ///   - runs: frames, half-open; each becomes a segment that can be written and executed.
  ///   - parts: physical addresses, half-open, whose bytes follow the pages of all runs: what a dump
  ///     has of pages that it does not have whole.
  ///   - extendedCountLimit: tests lower it.
  public init(
    notes: [ELFNote], runs: [Range<UInt64>], parts: [Range<UInt64>] = [],
    extendedCountLimit: Int = ELFCore.extendedCountLimit
  ) {
    let notes = notes.flatMap(\.encoded)
    let count = runs.count + parts.count + 1
    let isExtended = count >= extendedCountLimit
    let segmentsOffset: Int
    let notesOffset: Int
    if isExtended {
      notesOffset = ELFHeader.byteCount + ELFSectionHeader.byteCount
      let between = ELFSectionHeader.byteCount + notes.count + ELFSegment.byteCount - 1
      segmentsOffset =
        ELFHeader.byteCount + between / ELFSegment.byteCount * ELFSegment.byteCount
    } else {
      segmentsOffset = ELFHeader.byteCount
      notesOffset = ELFHeader.byteCount + ELFSegment.byteCount * count
    }
    let headEnd = max(segmentsOffset + ELFSegment.byteCount * count, notesOffset + notes.count)
    let dataOffset = (headEnd + Self.pageSize - 1) & ~(Self.pageSize - 1)

    var head: [UInt8] = []
    head.reserveCapacity(dataOffset)
    head.appendELFHeader(
      type: ELFHeader.Kind.core, segmentsAt: segmentsOffset,
      segments: isExtended ? ELFHeader.extended : UInt16(count),
      sectionsAt: isExtended ? ELFHeader.byteCount : 0, sections: isExtended ? 1 : 0)
    if isExtended {
      var first = ELFSectionHeader()
      first.info = UInt32(clamping: count)
      first.append(to: &head)
      head += notes
      head += [UInt8](repeating: 0, count: segmentsOffset - head.count)
    }
    ELFSegment(
      type: ELFSegment.Kind.note, offset: UInt64(notesOffset), fileSize: UInt64(notes.count),
      memorySize: UInt64(notes.count), alignment: 4
    ).append(to: &head)
    var offset = UInt64(dataOffset)
    for run in runs {
      let size = (run.upperBound - run.lowerBound) << 12
      ELFSegment(
        type: ELFSegment.Kind.load, flags: 7, offset: offset, physical: run.lowerBound << 12,
        fileSize: size, memorySize: size, alignment: UInt64(Self.pageSize)
      ).append(to: &head)
      offset += size
    }
    for part in parts {
      let size = part.upperBound - part.lowerBound
      ELFSegment(
        type: ELFSegment.Kind.load, flags: 7, offset: offset, physical: part.lowerBound,
        fileSize: size, memorySize: size, alignment: 1
      ).append(to: &head)
      offset += size
    }
    if !isExtended { head += notes }
    head.pad(to: Self.pageSize)
    self.head = head
  }
}

extension [UInt8] {
  /// Appends the header of a file for x86_64.
  mutating func appendELFHeader(
    type: UInt16, segmentsAt segmentOffset: Int = 0, segments: UInt16 = 0,
    sectionsAt sectionOffset: Int, sections: UInt16, names: UInt16 = 0
  ) {
    self += ELFHeader.signature + [2, 1, 1] + [UInt8](repeating: 0, count: 9)
    append(littleEndian: type)
    append(littleEndian: ELFHeader.amd64)
    append(littleEndian: UInt32(1))  // e_version
    append(littleEndian: UInt64(0))  // e_entry
    append(littleEndian: UInt64(segmentOffset))
    append(littleEndian: UInt64(sectionOffset))
    append(littleEndian: UInt32(0))  // e_flags
    append(littleEndian: UInt16(ELFHeader.byteCount))
    append(littleEndian: UInt16(segments == 0 ? 0 : ELFSegment.byteCount))
    append(littleEndian: segments)
    append(littleEndian: UInt16(sections == 0 ? 0 : ELFSectionHeader.byteCount))
    append(littleEndian: sections)
    append(littleEndian: names)
  }
}
