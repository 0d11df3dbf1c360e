// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import Memory

/// Looks for the kernel's own copy of its VMCOREINFO note in a dump that carries none.
///
/// The kernel keeps the note ready, ELF header first: at the start of a page of its own since Linux
/// v4.13, in an array of its image before.
///
/// Source: kernel/vmcore_info.c, `vmcoreinfo_note` and `update_vmcoreinfo_note`; kernel/crash_core.c of
/// 3.10.0-1160.el7.
enum VMCoreInfoSearch {
  /// Where in a page a note may begin: first of all at its start, then at any multiple of what the ABI
  /// aligns large arrays to.
  private static let strides = [Page.size, 16]
  /// A kernel's image with everything built in has some 100 MiB.
  private static let imageLimit: UInt64 = 1 << 28

  /// The note's text; where several kernels left one, that of the first in memory.
  ///
  /// - Parameters:
  ///   - memory: asked once more for the note that was found, and for nothing else: what is only looked
  ///     through is not to get into an extract.
  ///   - plain: the same memory without a decorator that remembers what is read.
  ///   - frames: the pages to look at; those that the file really holds.
  ///   - work: the run that pays for the looking.
  static func find(
    in memory: any PhysicalMemory, lookingThrough plain: any PhysicalMemory,
    frames: some Sequence<Range<UInt64>>, paidBy work: WorkBudget
  ) -> [UInt8]? {
    for stride in strides {
      var scan = PageScan(work, "the search for the kernel's VMCOREINFO")
      let found = scan.firstAtOnce(in: frames, of: plain) {
        plain, frame -> (frame: UInt64, offset: Int, text: [UInt8])? in
        guard let page = try? plain.page(frame) else { return nil }
        for offset in Swift.stride(from: 0, to: Page.size, by: stride) {
          guard let text = note(page, at: offset, frame, plain) else { continue }
          // Anywhere in a page a copy may lie, of a dump that was saved before for example.
          if stride < Page.size, !isInImage(text, PhysicalAddress(frame << 12)) { continue }
          return (frame, offset, text)
        }
        return nil
      }
      if let found {
        _ = try? memory.bytes(
          at: PhysicalAddress(found.frame << 12 | UInt64(found.offset)),
          count: VMCoreInfoNote.headerSize + found.text.count)
        return found.text
      }
    }
    return nil
  }

  /// Whether a page is part of the kernel's image, by what the note in it says of the image's place.
  private static func isInImage(_ text: [UInt8], _ page: PhysicalAddress) -> Bool {
    let info = VMCoreInfo(text)
    guard
      let space = KernelAddressSpace(info: info, physicalBase: nil, segments: []),
      let start = info.symbol("_stext").flatMap(space.linear)
    else { return false }
    return page >= start && page.rawValue - start.rawValue < imageLimit
  }

  /// The text of the note that begins at an offset into a page; `nil` where none does.
  private static func note(
    _ page: Page, at offset: Int, _ frame: UInt64, _ memory: any PhysicalMemory
  ) -> [UInt8]? {
    guard page[word: offset / 8] & 0xffff_ffff == UInt64(VMCoreInfoNote.nameSize) else {
      return nil
    }
    let place = PhysicalAddress(frame << 12 | UInt64(offset))
    guard let header = try? memory.bytes(at: place, count: VMCoreInfoNote.headerSize),
      let size = VMCoreInfoNote.textSize(header), size > 0,
      let text = place.advanced(by: UInt64(VMCoreInfoNote.headerSize)),
      let bytes = try? memory.bytes(at: text, count: size),
      bytes.starts(with: Array("OSRELEASE=".utf8))
    else { return nil }
    return bytes
  }
}
