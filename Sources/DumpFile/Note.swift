// SPDX-License-Identifier: Apache-2.0

import CElfutils
import Memory

/// One ELF note of a dump: VMCOREINFO, the registers of a processor, a device's own dump.
public struct Note: Hashable, Sendable {
  /// The owner, such as `CORE` or `VMCOREINFO`, without the terminating zero.
  public var name: String
  /// The owner's number for the kind of note, `n_type`.
  public var type: UInt32
  /// The descriptor, without padding.
  public var bytes: [UInt8]

  public init(name: String, type: UInt32, bytes: [UInt8]) {
    self.name = name
    self.type = type
    self.bytes = bytes
  }
}

/// The notes of a stretch of a dump.
struct NoteList: Sendable {
  /// Bytes of notes beyond this are not read; the registers of 8192 processors take a tenth.
  static let byteLimit: UInt64 = 64 << 20
  private static let noteLimit = 1 << 16
  private static let obstacleLimit = 16

  private var bytesLeft = byteLimit

  private(set) var notes: [Note] = []
  private(set) var obstacles: [String] = []

  /// Reads the notes in `length` bytes at `offset`; damage ends the list and is an obstacle.
  ///
  /// `alignment` is `p_align`; 8 only where it says so, 4 for everything that Linux, kexec
  /// and QEMU write.
  mutating func read(from bytes: DumpBytes, at offset: UInt64, length: UInt64, alignment: UInt64) {
    var length = length
    if length > bytesLeft {
      report(
        "the notes at offset \(offset.hexadecimal) claim \(length) bytes, "
          + "only the first \(bytesLeft) are read")
      length = bytesLeft
    }
    bytesLeft -= length
    if let missing = bytes.missing(at: offset, length: length) {
      report(
        "the notes at offset \(offset.hexadecimal) need \(length) bytes, "
          + "the file ends after \(missing &- min(offset, missing))")
      length = missing > offset ? missing - offset : 0
    }
    guard length > 0, let size = Int(exactly: length),
      var copy = try? bytes.copy(at: offset, length: size)
    else { return }
    // libelf wants each note padded to the alignment; the last one of a dump may not be.
    copy += [UInt8](repeating: 0, count: 16)
    decode(&copy, size: size, at: offset, isWide: alignment == 8)
  }

  private mutating func decode(_ copy: inout [UInt8], size: Int, at offset: UInt64, isWide: Bool) {
    var found: [Note] = []
    var problem: String?
    // The buffer is alive during the closure and `d_size` is its length, so that libelf's own
    // bounds checks hold; name and descriptor are compared with `size` again before use.
    unsafe copy.withUnsafeMutableBytes { buffer in
      var data = unsafe Elf_Data()
      unsafe data.d_buf = buffer.baseAddress
      unsafe data.d_type = isWide ? ELF_T_NHDR8 : ELF_T_NHDR
      unsafe data.d_version = UInt32(EV_CURRENT)
      unsafe data.d_size = buffer.count
      var position = 0
      while position <= size - MemoryLayout<Elf64_Nhdr>.size {
        var header = GElf_Nhdr()
        var nameOffset = 0
        var bytesOffset = 0
        // All five are valid places, and `data` describes the live buffer.
        let next = unsafe gelf_getnote(&data, position, &header, &nameOffset, &bytesOffset)
        let nameSize = Int(header.n_namesz)
        let byteCount = Int(header.n_descsz)
        if next > 0, nameSize == 0, byteCount == 0, header.n_type == 0 { break }
        guard next > position, nameOffset <= size, nameSize <= size - nameOffset,
          bytesOffset <= size, byteCount <= size - bytesOffset
        else {
          problem = "is damaged or cut"
          break
        }
        guard notes.count + found.count < NoteList.noteLimit else {
          problem = "follows \(NoteList.noteLimit) others and is not read"
          break
        }
        // Both ranges were checked against `size`, which is less than the buffer's length.
        let name = unsafe buffer[nameOffset..<nameOffset + nameSize].prefix { $0 != 0 }
        let bytes = unsafe [UInt8](buffer[bytesOffset..<bytesOffset + byteCount])
        found.append(
          Note(
            name: unsafe String(decoding: name, as: UTF8.self), type: header.n_type, bytes: bytes))
        position = next
      }
      if let text = problem {
        problem = "the note at offset \((offset &+ UInt64(position)).hexadecimal) \(text)"
      }
    }
    notes += found
    if let problem { report(problem) }
  }
  /// A dump can hold any number of damaged notes; a report needs only the first sentences.
  private mutating func report(_ obstacle: String) {
    if obstacles.count < Self.obstacleLimit { obstacles.append(obstacle) }
  }
}
