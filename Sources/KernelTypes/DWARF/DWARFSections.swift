// SPDX-License-Identifier: Apache-2.0

import CElfutils
internal import ELF
internal import Files
import Memory

/// The debug sections that describe types, ready to be read: unpacked and relocated.
struct DWARFSections {
  var info: ELFSection
  var abbreviations: ELFSection
  /// `.debug_str`, `.debug_line_str` and `.debug_str_offsets`, those that exist.
  var strings: [ELFSection]
}

extension DWARFSections {
  init(_ vmlinux: VMLinux) throws(TypeError) {
    guard let info = try Self.section(".debug_info", of: vmlinux),
      let abbreviations = try Self.section(".debug_abbrev", of: vmlinux)
    else {
      throw TypeError(
        "\(vmlinux.path) has no DWARF; install the kernel's debug package or use BTF")
    }
    var strings: [ELFSection] = []
    for name in [".debug_str", ".debug_line_str", ".debug_str_offsets"] {
      if let section = try Self.section(name, of: vmlinux) { strings.append(section) }
    }
    self.init(info: info, abbreviations: abbreviations, strings: strings)
  }

  func strings(_ name: String) -> ELFSection? { strings.first { $0.name == name } }

  private static func section(
    _ name: String, of vmlinux: VMLinux
  ) throws(TypeError) -> ELFSection? {
    guard
      let index = vmlinux.sections.firstIndex(where: { $0.name == name && !$0.range.isEmpty })
    else { return nil }
    var section = vmlinux.sections[index]
    if section.flags & ELFSectionHeader.Flag.compressed != 0 {
      section = try unpacked(section, index)
    }
    // Linked kernels may still carry relocations (`--emit-relocs`), which have been applied
    // already: applying them again would move every offset by its addend.
    if vmlinux.isRelocatable { section = try relocated(section, index, vmlinux) }
    return section
  }

  /// The section with its bytes decompressed by libelf, in a file of its own in memory.
  private static func unpacked(
    _ section: ELFSection, _ index: Int
  ) throws(TypeError) -> ELFSection {
    var result = section
    elf_version(UInt32(EV_CURRENT))
    // The descriptor outlives the handle, which ends in this function.
    guard let elf = unsafe elf_begin(section.file.descriptor, ELF_C_READ, nil) else {
      throw TypeError("\(section.file.path): \(FileHeaders.libelfError())")
    }
    defer { unsafe _ = elf_end(elf) }
    // Valid handle; libelf refuses sizes beyond what the compression can reach.
    guard let handle = unsafe elf_getscn(elf, index), unsafe elf_compress(handle, 0, 0) >= 0,
      let data = unsafe elf_rawdata(handle, nil)
    else {
      throw TypeError("\(section.file.path): \(section.name): \(FileHeaders.libelfError())")
    }
    // libelf owns the buffer until elf_end and says how long it is.
    let bytes = unsafe [UInt8](
      UnsafeRawBufferPointer(start: data.pointee.d_buf, count: data.pointee.d_size))
    result.file = try typed { () throws(FileError) in
      try InputFile(memory: bytes, for: section.file.path)
    }
    result.range = 0..<bytes.count
    result.flags &= ~ELFSectionHeader.Flag.compressed
    return result
  }

  /// The section of an object file with its relocations applied.
  ///
  /// Source: System V ABI, AMD64 supplement, "Relocation Types". The debug sections of an object
  /// file refer to each other by absolute words only.
  private static func relocated(
    _ section: ELFSection, _ index: Int, _ vmlinux: VMLinux
  ) throws(TypeError) -> ELFSection {
    guard
      let table = vmlinux.sections.first(where: {
        $0.type == ELFSectionHeader.Kind.relocations && $0.info == index && !$0.range.isEmpty
      }), vmlinux.sections.indices.contains(table.link)
    else { return section }
    var result = section
    var bytes = try section.read()
    let relocations = try table.read()
    let symbols = try vmlinux.sections[table.link].read()
    do throws(BoundsError) {
      // Elf64_Rela: offset 8 bytes, type 4, symbol 4, addend 8. Elf64_Sym: value at byte 8 of 24.
      for entry in stride(from: 0, to: relocations.count / 24 * 24, by: 24) {
        let place: UInt64 = try relocations.littleEndian(at: entry)
        let type: UInt32 = try relocations.littleEndian(at: entry + 8)
        let symbol: UInt32 = try relocations.littleEndian(at: entry + 12)
        let addend: UInt64 = try relocations.littleEndian(at: entry + 16)
        let value: UInt64 = try symbols.littleEndian(at: Int(symbol) * 24 + 8)
        let width = type == 1 ? 8 : type == 10 || type == 11 ? 4 : 0  // R_X86_64_64, _32, _32S
        guard width > 0, let place = Int(exactly: place), place <= bytes.count - width else {
          continue
        }
        for byte in 0..<width {
          bytes[place + byte] = UInt8(truncatingIfNeeded: (value &+ addend) >> UInt64(byte * 8))
        }
      }
    } catch {
      throw TypeError("\(vmlinux.path): \(table.name): \(error)")
    }
    result.file = try typed { () throws(FileError) in
      try InputFile(memory: bytes, for: vmlinux.path)
    }
    result.range = 0..<bytes.count
    return result
  }
}
