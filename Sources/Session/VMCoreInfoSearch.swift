// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// Looks for the kernel's own copy of its VMCOREINFO note in a dump that carries none.
///
/// The kernel keeps the note ready, ELF header first, at the start of a page of its own.
///
/// Source: kernel/vmcore_info.c, `vmcoreinfo_note` and `update_vmcoreinfo_note`.
enum VMCoreInfoSearch {
  /// The note's text; where several kernels left one, that of the first in memory.
  ///
  /// - Parameters:
  ///   - frames: the pages to look at; those that the file really holds.
  ///   - work: the run that pays for the looking.
  static func find(
    in memory: any PhysicalMemory, frames: some Sequence<Range<UInt64>>, paidBy work: WorkBudget
  ) -> [UInt8]? {
    var scan = PageScan(work, "the search for the kernel's VMCOREINFO")
    for frame in frames.joined() {
      guard scan.next() else { return nil }
      guard let page = try? memory.page(frame), isNote(page) else { continue }
      let size = Int(page[word: 0] >> 32)
      guard size > 0, size <= 4 * Page.size,
        let bytes = try? memory.bytes(at: PhysicalAddress(frame << 12 | 24), count: size),
        bytes.starts(with: Array("OSRELEASE=".utf8))
      else { continue }
      return bytes
    }
    return nil
  }

  /// Whether the page starts with an ELF note header whose name is VMCOREINFO and its zero byte.
  private static func isNote(_ page: Page) -> Bool {
    guard page[word: 0] & 0xffff_ffff == 11 else { return false }
    let name = Array("VMCOREINFO\0".utf8)
    return page.withBytes { bytes in (try? bytes.copy(at: 12, count: name.count)) == name }
  }
}
