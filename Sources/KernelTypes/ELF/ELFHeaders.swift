// SPDX-License-Identifier: Apache-2.0

import CElfutils
internal import Files

/// The section headers and note segments of an ELF file, as libelf decodes them.
struct ELFHeaders {
  static let symbolTable: UInt32 = 2  // SHT_SYMTAB
  static let relocations: UInt32 = 4  // SHT_RELA
  static let note: UInt32 = 7  // SHT_NOTE
  private static let noBytes: UInt32 = 8  // SHT_NOBITS
  static let compressed: UInt64 = 1 << 11  // SHF_COMPRESSED
  static let merged: UInt64 = 1 << 4  // SHF_MERGE

  var sections: [ELFSection] = []
  var noteSegments: [Range<Int>] = []
  var isRelocatable = false

  init(_ file: InputFile) throws(TypeError) {
    elf_version(UInt32(EV_CURRENT))
    // The descriptor stays open for longer than the handle, which ends in this function.
    guard let elf = unsafe elf_begin(file.descriptor, ELF_C_READ, nil) else {
      throw TypeError("\(file.path): \(Self.libelfError())")
    }
    defer { unsafe _ = elf_end(elf) }
    var header = GElf_Ehdr()
    // `elf` is valid and `header` a place for the answer, as in the calls below.
    guard unsafe elf_kind(elf) == ELF_K_ELF, unsafe gelf_getehdr(elf, &header) != nil else {
      throw TypeError("\(file.path) is not an ELF file")
    }
    guard unsafe gelf_getclass(elf) == ELFCLASS64, header.e_machine == EM_X86_64 else {
      throw TypeError(
        "\(file.path) is made for machine \(header.e_machine), expected 64 bits of \(EM_X86_64) "
          + "(x86_64)")
    }
    isRelocatable = header.e_type == ET_REL

    var names = 0
    var count = 0
    guard unsafe elf_getshdrstrndx(elf, &names) == 0, unsafe elf_getshdrnum(elf, &count) == 0,
      count > 0
    else {
      throw TypeError("\(file.path) has no section headers, it is stripped or cut off")
    }
    for index in 0..<count {
      var section = GElf_Shdr()
      guard let handle = unsafe elf_getscn(elf, index),
        unsafe gelf_getshdr(handle, &section) != nil
      else {
        throw TypeError("\(file.path): section \(index) of \(count): \(Self.libelfError())")
      }
      // libelf returns a string inside the name table, or none.
      let name = unsafe elf_strptr(elf, names, Int(section.sh_name))
        .map { unsafe String(cString: $0) }
      let bytes = section.sh_type == Self.noBytes ? 0 : section.sh_size
      guard let range = Self.range(section.sh_offset, bytes, in: file) else {
        throw TypeError(
          "\(file.path): section \(name ?? "\(index)") has \(section.sh_size) bytes at "
            + "\(section.sh_offset), the file has \(file.byteCount); it is cut off")
      }
      sections.append(
        ELFSection(
          name: name ?? "", type: section.sh_type, flags: section.sh_flags,
          link: Int(section.sh_link), info: Int(section.sh_info), file: file, range: range))
    }

    var segments = 0
    guard unsafe elf_getphdrnum(elf, &segments) == 0 else { return }
    for index in 0..<min(segments, 4096) {
      var segment = GElf_Phdr()
      guard unsafe gelf_getphdr(elf, Int32(index), &segment) != nil, segment.p_type == PT_NOTE,
        let range = Self.range(segment.p_offset, segment.p_filesz, in: file)
      else { continue }
      noteSegments.append(range)
    }
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
