// SPDX-License-Identifier: Apache-2.0

internal import ELF
import Memory

/// The notes of a stretch of a dump.
struct NoteList: Sendable {
  /// Bytes of notes beyond this are not read; the registers of 8192 processors take a tenth.
  static let byteLimit: UInt64 = 64 << 20
  private static let noteLimit = 1 << 16
  private static let obstacleLimit = 16

  private var bytesLeft = byteLimit

  private(set) var notes: [ELFNote] = []
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
      let copy = try? bytes.copy(at: offset, length: size)
    else { return }
    var reader = ELFNoteReader(copy, alignment: alignment)
    while true {
      var problem: String?
      switch reader.next() {
      case .end: return
      case .note where notes.count >= Self.noteLimit:
        problem = "follows \(Self.noteLimit) others and is not read"
      case .note(let note): notes.append(note)
      case .damaged: problem = "is damaged or cut"
      }
      if let problem {
        report("the note at offset \((offset &+ UInt64(reader.position)).hexadecimal) \(problem)")
        return
      }
    }
  }

  /// A dump can hold any number of damaged notes; a report needs only the first sentences.
  private mutating func report(_ obstacle: String) {
    if obstacles.count < Self.obstacleLimit { obstacles.append(obstacle) }
  }
}
