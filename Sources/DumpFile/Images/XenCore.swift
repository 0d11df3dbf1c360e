// SPDX-License-Identifier: Apache-2.0

internal import ELF
internal import Memory

/// A guest's memory as `xl dump-core` writes it: an ELF core with sections and no program headers.
///
/// `.xen_pages` holds pages, and in their order `.xen_pfn` their frame numbers (8 bytes each), for guests
/// with hardware paging; for paravirtual guests `.xen_p2m` holds pairs of pseudo-physical and machine
/// frame.
///
/// Source: Xen, docs/misc/dump-core-format.txt, version 0.1.
struct XenCore {
  private static let sectionLimit: UInt64 = 1 << 12
  private static let invalid: UInt64 = .max
  private static let runLimit = 1 << 22
  private static let chunk = 1 << 16

  private(set) var segments: [ELFSegment] = []
  private(set) var obstacles: [String] = []

  /// `nil` for an ELF file without such sections.
  init?(_ header: ELFHeader, _ bytes: DumpBytes) throws(DumpError) {
    guard let sections = try? header.sections(in: bytes, limit: Self.sectionLimit),
      let nameIndex = try? header.nameSection(in: bytes), nameIndex < UInt64(sections.count)
    else { return nil }
    let names = sections[Int(nameIndex)]
    func section(_ name: String) -> ELFSectionHeader? {
      sections.first { section in
        let text = Array(name.utf8) + [0]
        let place = names.offset &+ UInt64(section.nameOffset)
        return (try? bytes.copy(at: place, length: text.count)) == text
      }
    }
    guard let pages = section(".xen_pages") else { return nil }
    if let list = section(".xen_pfn") {
      readRuns(bytes, list, recordSize: 8, pages)
    } else if let list = section(".xen_p2m") {
      readRuns(bytes, list, recordSize: 16, pages)
      obstacles.append(
        "a paravirtual guest of Xen: its page tables hold the machine's addresses, not the guest's")
    } else {
      throw DumpError(
        bytes.name, .corrupt,
        "a Xen dump-core without .xen_pfn or .xen_p2m: nothing tells where its pages belong; dump "
          + "the guest again with xl dump-core, or with kdump inside the guest")
    }
    guard !segments.isEmpty else {
      throw DumpError(
        bytes.name, .corrupt,
        "a Xen dump-core whose list of pages is empty or cut; dump the guest again with xl "
          + "dump-core, or with kdump inside the guest")
    }
  }

  /// Joins neighbouring frames whose pages are neighbours too.
  private mutating func readRuns(
    _ bytes: DumpBytes, _ list: ELFSectionHeader, recordSize: UInt64, _ pages: ELFSectionHeader
  ) {
    // A list that claims more than the file holds ends with it.
    let there = min(list.byteCount, bytes.count > list.offset ? bytes.count - list.offset : 0)
    let count = min(there / recordSize, pages.byteCount / UInt64(Page.size))
    if there < list.byteCount {
      obstacles.append("the list of the Xen dump-core's pages reaches beyond the end of the file")
    }
    var (start, first, length): (UInt64, UInt64, UInt64) = (0, 0, 0)
    func flush(_ segments: inout [ELFSegment]) {
      guard length > 0 else { return }
      segments.append(
        .stored(
          physical: first << 12, offset: pages.offset &+ start << 12, byteCount: length << 12))
    }
    var index: UInt64 = 0
    while index < count, segments.count < Self.runLimit {
      let records = min(UInt64(Self.chunk), count - index)
      guard
        let chunk = try? bytes.copy(
          at: list.offset + index * recordSize, length: Int(records * recordSize))
      else { break }
      for record in 0..<records {
        guard let frame: UInt64 = try? chunk.littleEndian(at: Int(record * recordSize)) else {
          break
        }
        if length > 0, frame == first + length, start + length == index + record {
          length += 1
          continue
        }
        flush(&segments)
        length = 0
        // x86_64 has at most 52 bits of physical address.
        guard frame != Self.invalid, frame < 1 << 40 else { continue }
        (start, first, length) = (index + record, frame, 1)
      }
      index += records
    }
    flush(&segments)
  }
}
