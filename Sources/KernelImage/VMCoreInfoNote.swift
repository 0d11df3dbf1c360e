// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// The ELF note as which a kernel keeps its VMCOREINFO ready in memory: the lengths of name and text, the
/// type, the name in twelve bytes, the text.
///
/// Source: kernel/vmcore_info.c, `update_vmcoreinfo_note`; include/uapi/linux/elf.h, `Elf64_Nhdr`.
public enum VMCoreInfoNote {
  /// Bytes before the text.
  public static let headerSize = 24
  /// The name's length with its zero byte, which is the note's first word of 4 bytes.
  public static let nameSize = UInt32(name.count)

  private static let name = Array("VMCOREINFO\0".utf8)
  /// What a kernel writes fits into a page.
  private static let textLimit = 4 * Page.size

  /// Bytes of the text behind such a header; `nil` where it is another one, or claims more than a kernel
  /// writes.
  ///
  /// - Parameter header: `headerSize` bytes.
  public static func textSize(_ header: [UInt8]) -> Int? {
    guard header.count == headerSize, header.starts(with: [UInt8(name.count), 0, 0, 0]),
      header[12...].starts(with: name)
    else { return nil }
    let size = header[4..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    return size <= textLimit ? size : nil
  }
}
