// SPDX-License-Identifier: Apache-2.0

import CElfutils
import Memory

/// The headers of an ELF core of an x86_64 machine.
///
/// libelf decodes single records from bytes whose bounds were checked here; it never sees the file
/// and follows no offset. Section headers are not looked at, except for the count of program
/// headers that section 0 holds when there are 65,535 or more (`PN_XNUM`).
struct ELFHeaders: Sendable {
  static let signature: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]
  /// `e_flags` bit that makedumpfile sets when it ran out of space (`DUMP_ELF_INCOMPLETE`).
  private static let incompleteFlag: UInt32 = 1
  /// More program headers than this are refused: a terabyte of memory filtered into the smallest
  /// holes that makedumpfile leaves has a million.
  private static let segmentLimit: UInt64 = 1 << 22

  /// One program header; all numbers as in the file.
  struct Segment: Hashable, Sendable {
    var type: UInt32
    var offset: UInt64
    var virtual: UInt64
    var physical: UInt64
    var fileSize: UInt64
    var memorySize: UInt64
    var alignment: UInt64
  }

  /// In file order.
  let segments: [Segment]
  /// Whether makedumpfile ran out of space.
  let isIncomplete: Bool

  init(_ bytes: DumpBytes) throws(DumpError) {
    let name = bytes.name
    // Selecting the one version there is; libelf refuses to work before.
    elf_version(UInt32(EV_CURRENT))

    let identification: [UInt8]
    do {
      identification = try bytes.copy(at: 0, length: Int(EI_NIDENT))
    } catch {
      throw DumpError(
        name, .corrupt,
        "expected an ELF header of 64 bytes, found \(bytes.count); copy the dump again")
    }
    guard identification[Int(EI_CLASS)] == UInt8(ELFCLASS64) else {
      throw DumpError(
        name, .unsupported,
        "expected a 64-bit ELF core, found class \(identification[Int(EI_CLASS)]) "
          + "(1 is 32-bit); only dumps of x86_64 machines are supported")
    }
    guard identification[Int(EI_DATA)] == UInt8(ELFDATA2LSB) else {
      throw DumpError(
        name, .unsupported,
        "expected a little-endian ELF core, found data encoding "
          + "\(identification[Int(EI_DATA)]) (2 is big-endian); "
          + "only dumps of x86_64 machines are supported")
    }
    guard
      let header = Self.decode(
        bytes, at: 0, length: MemoryLayout<Elf64_Ehdr>.size, ELF_T_EHDR, as: Elf64_Ehdr())
    else {
      throw DumpError(
        name, .corrupt,
        "expected an ELF header of 64 bytes, found \(bytes.count); copy the dump again")
    }
    guard header.e_machine == UInt16(EM_X86_64) else {
      throw DumpError(
        name, .unsupported,
        "expected machine \(EM_X86_64) (x86_64), found machine \(header.e_machine); "
          + "only dumps of x86_64 machines are supported")
    }
    guard header.e_type == UInt16(ET_CORE) else {
      throw DumpError(
        name, .notADump,
        "expected an ELF core (type 4), found ELF type \(header.e_type); "
          + "name the dump here, and a kernel with --vmlinux")
    }

    let count = try Self.segmentCount(header, bytes)
    guard count > 0 else {
      throw DumpError(name, .corrupt, "expected program headers, found none; copy the dump again")
    }
    let size = UInt64(MemoryLayout<Elf64_Phdr>.size)
    guard UInt64(header.e_phentsize) == size else {
      throw DumpError(
        name, .corrupt,
        "expected program headers of \(size) bytes, found \(header.e_phentsize); "
          + "the header is damaged")
    }
    let (length, overflow) = count.multipliedReportingOverflow(by: size)
    guard !overflow, length <= bytes.fileByteCount, let byteCount = Int(exactly: length),
      bytes.missing(at: header.e_phoff, length: length) == nil
    else {
      // makedumpfile writes them to the stream last, because they tell the segments' sizes.
      if let obstacle = bytes.obstacle {
        throw DumpError(
          name, .corrupt,
          "expected \(count) program headers, found none: \(obstacle), but without the headers "
            + "nothing tells the pages' addresses; copy the dump again")
      }
      throw DumpError(
        name, .corrupt,
        "expected \(count) program headers at offset \(header.e_phoff.hexadecimal), "
          + "the dump has \(bytes.count) bytes; it is damaged or cut in its headers")
    }
    guard count <= Self.segmentLimit else {
      throw DumpError(
        name, .unsupported,
        "expected at most \(Self.segmentLimit) program headers, found \(count); "
          + "write the dump again in the kdump-compressed format")
    }
    segments = Self.decodeSegments(bytes, at: header.e_phoff, length: byteCount)
    isIncomplete = header.e_flags & Self.incompleteFlag != 0
  }

  private static func segmentCount(
    _ header: Elf64_Ehdr, _ bytes: DumpBytes
  ) throws(DumpError) -> UInt64 {
    guard header.e_phnum == UInt16(PN_XNUM) else { return UInt64(header.e_phnum) }
    let size = MemoryLayout<Elf64_Shdr>.size
    guard header.e_shoff >= UInt64(MemoryLayout<Elf64_Ehdr>.size),
      Int(header.e_shentsize) == size,
      let section = Self.decode(
        bytes, at: header.e_shoff, length: size, ELF_T_SHDR, as: Elf64_Shdr())
    else {
      throw DumpError(
        bytes.name, .corrupt,
        "expected the count of program headers in a section header at offset "
          + "\(header.e_shoff.hexadecimal), because e_phnum is 0xffff; the dump has "
          + "\(bytes.count) bytes, it is damaged")
    }
    return UInt64(section.sh_info)
  }

  /// One record of type `type`, or `nil` if it is not wholly in the dump.
  private static func decode<T: BitwiseCopyable>(
    _ bytes: DumpBytes, at offset: UInt64, length: Int, _ type: Elf_Type, as initial: T
  ) -> T? {
    guard let copy = try? bytes.copy(at: offset, length: length) else { return nil }
    var result = initial
    // `copy` holds `length` bytes and `result` is a C struct of at least as many.
    let isDone = unsafe withUnsafeMutableBytes(of: &result) { target in
      unsafe translate(copy, to: target, type)
    }
    return isDone ? result : nil
  }

  private static func decodeSegments(
    _ bytes: DumpBytes, at offset: UInt64, length: Int
  ) -> [Segment] {
    let size = MemoryLayout<Elf64_Phdr>.size
    guard let copy = try? bytes.copy(at: offset, length: length) else { return [] }
    var headers = [Elf64_Phdr](repeating: Elf64_Phdr(), count: length / size)
    // The array has room for exactly the records in `copy`.
    let isDone = unsafe headers.withUnsafeMutableBytes { target in
      unsafe translate(copy, to: target, ELF_T_PHDR)
    }
    guard isDone else { return [] }
    return headers.map { header in
      Segment(
        type: header.p_type, offset: header.p_offset, virtual: header.p_vaddr,
        physical: header.p_paddr, fileSize: header.p_filesz, memorySize: header.p_memsz,
        alignment: header.p_align)
    }
  }

  /// Lets libelf translate records from file order to memory order.
  private static func translate(
    _ source: [UInt8], to target: UnsafeMutableRawBufferPointer, _ type: Elf_Type
  ) -> Bool {
    guard target.count >= source.count else { return false }
    // The source is only read; both descriptors hold the true sizes of live buffers, and libelf
    // checks them against the size of the records.
    return unsafe source.withUnsafeBytes { buffer in
      var from = unsafe Elf_Data()
      unsafe from.d_buf = UnsafeMutableRawPointer(mutating: buffer.baseAddress)
      unsafe from.d_type = type
      unsafe from.d_version = UInt32(EV_CURRENT)
      unsafe from.d_size = buffer.count
      var to = unsafe Elf_Data()
      unsafe to.d_buf = target.baseAddress
      unsafe to.d_type = type
      unsafe to.d_version = UInt32(EV_CURRENT)
      unsafe to.d_size = target.count
      return unsafe elf64_xlatetom(&to, &from, UInt32(ELFDATA2LSB)) != nil
    }
  }
}

extension NoteList {
  /// Reads every note segment of an ELF core, in file order.
  mutating func read(_ headers: ELFHeaders, from bytes: DumpBytes) {
    for segment in headers.segments where segment.type == UInt32(PT_NOTE) {
      read(
        from: bytes, at: segment.offset, length: segment.fileSize, alignment: segment.alignment)
    }
  }
}
