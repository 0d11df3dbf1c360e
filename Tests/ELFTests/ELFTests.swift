// SPDX-License-Identifier: Apache-2.0

import Memory
import Testing

@testable import ELF

/// A file that is an array.
private struct Bytes: ELFSource {
  var bytes: [UInt8]

  func holds(_ count: UInt64, at offset: UInt64) -> Bool {
    offset <= bytes.count && count <= UInt64(bytes.count) - offset
  }

  func elfBytes(at offset: UInt64, count: Int) -> [UInt8]? {
    guard count >= 0, holds(UInt64(count), at: offset) else { return nil }
    return Array(bytes[Int(offset)..<Int(offset) + count])
  }

  /// Overwrites a number.
  func with<T: FixedWidthInteger>(_ value: T, at offset: Int) -> Bytes {
    var copy = self
    var number: [UInt8] = []
    number.append(littleEndian: value)
    copy.bytes.replaceSubrange(offset..<offset + number.count, with: number)
    return copy
  }
}

private func failure(_ body: () throws(ELFError) -> Void) -> ELFError? {
  do throws(ELFError) {
    try body()
    return nil
  } catch {
    return error
  }
}

struct ELFCoreTests {
  static let notes = [
    ELFNote(name: "VMCOREINFO", type: 0, bytes: Array("OSRELEASE=6.1\n".utf8)),
    ELFNote(name: "A", type: 7, bytes: []),
  ]

  @Test func readsBackWhatItWrites() throws {
    let file = Bytes(bytes: ELFCore(notes: Self.notes, runs: [1..<3, 0x100..<0x101]).head)
    #expect(file.bytes.count == 4096)
    let header = try ELFHeader(file)
    #expect(header.type == ELFHeader.Kind.core && header.machine == ELFHeader.amd64)
    let segments = try header.segments(in: file, limit: 3)
    #expect(
      segments.dropFirst() == [
        ELFSegment(
          type: 1, flags: 7, offset: 4096, physical: 0x1000, fileSize: 0x2000, memorySize: 0x2000,
          alignment: 4096),
        ELFSegment(
          type: 1, flags: 7, offset: 4096 + 0x2000, physical: 0x10_0000, fileSize: 0x1000,
          memorySize: 0x1000, alignment: 4096),
      ])
    let note = try #require(segments.first)
    #expect(note.type == ELFSegment.Kind.note && note.alignment == 4)
    let bytes = try #require(file.elfBytes(at: note.offset, count: Int(note.fileSize)))
    var reader = ELFNoteReader(bytes, alignment: note.alignment)
    #expect(reader.next() == .note(Self.notes[0]))
    #expect(reader.next() == .note(Self.notes[1]))
    #expect(reader.next() == .end)
    #expect(try header.sections(in: file, limit: 1) == [])
    #expect(
      failure { () throws(ELFError) in _ = try header.segments(in: file, limit: 2) }
        == .tooMany(count: 3))
  }

  /// The number of program headers moves to section 0 with the 65,535th, not before.
  @Test(arguments: [0xfffd, 0xfffe, 0xffff, 0x1_0001])
  func countsBeyondSixteenBits(_ runs: Int) throws {
    let all = (0..<UInt64(runs)).map { 2 * $0..<2 * $0 + 1 }
    let file = Bytes(bytes: ELFCore(notes: [], runs: all).head)
    let count: UInt16 = try file.bytes.littleEndian(at: 56)
    #expect(count == (runs + 1 >= 0xffff ? 0xffff : UInt16(runs + 1)))
    let header = try ELFHeader(file)
    #expect(try header.segmentCount(in: file) == UInt64(runs + 1))
    let segments = try header.segments(in: file, limit: 1 << 20)
    #expect(segments.dropFirst().map { $0.physical >> 12 } == all.map(\.lowerBound))
    let first = try #require(segments.dropFirst().first)
    #expect(first.offset == UInt64(file.bytes.count) && first.offset % 4096 == 0)
  }
}

struct ELFHeaderTests {
  private let file = Bytes(bytes: ELFCore(notes: ELFCoreTests.notes, runs: [1..<3]).head)

  @Test func otherFilesAreToldApart() {
    func found(_ file: Bytes) -> ELFError? {
      failure { () throws(ELFError) in _ = try ELFHeader(file) }
    }
    #expect(found(Bytes(bytes: [])) == .noHeader)
    #expect(found(Bytes(bytes: Array(file.bytes[..<63]))) == .noHeader)
    #expect(found(file.with(0x7f as UInt8, at: 1)) == .notELF)
    #expect(found(file.with(1 as UInt8, at: 4)) == .otherClass(1))
    #expect(found(file.with(2 as UInt8, at: 5)) == .otherEncoding(2))
    #expect(found(file) == nil)
  }

  @Test func tablesAreHeldAgainstTheFile() {
    func found(_ file: Bytes) -> ELFError? {
      failure { () throws(ELFError) in _ = try ELFHeader(file).segments(in: file, limit: 10) }
    }
    #expect(found(file) == nil)
    #expect(found(file.with(55 as UInt16, at: 0x36)) == .recordSize(found: 55, expected: 56))
    #expect(
      found(file.with(UInt64.max - 3, at: 0x20)) == .cut(count: 2, offset: UInt64.max - 3))
    #expect(found(file.with(0xfffe as UInt16, at: 0x38)) == .cut(count: 0xfffe, offset: 64))
    #expect(found(file.with(11 as UInt16, at: 0x38)) == .tooMany(count: 11))
    #expect(found(file.with(0xffff as UInt16, at: 0x38)) == .noFirstSection(offset: 0))
    // Section 0 in place of the notes: its `sh_info` is the count.
    let section = file.with(0xffff as UInt16, at: 0x38).with(64 as UInt16, at: 0x3a)
      .with(0x400 as UInt64, at: 0x28)
    #expect(found(section.with(UInt32.max, at: 0x400 + 44)) == .cut(count: 0xffff_ffff, offset: 64))
    #expect(found(section.with(2 as UInt32, at: 0x400 + 44)) == nil)
  }

  @Test func sectionsMayBeCountedInTheFirst() throws {
    var bytes = file.with(64 as UInt16, at: 0x3a).with(0x400 as UInt64, at: 0x28)
      .with(0xffff as UInt16, at: 0x3e)
    #expect(try ELFHeader(bytes).sectionCount(in: bytes) == 0)
    bytes = bytes.with(3 as UInt64, at: 0x400 + 32).with(2 as UInt32, at: 0x400 + 40)
    let header = try ELFHeader(bytes)
    #expect(try header.sectionCount(in: bytes) == 3)
    #expect(try header.nameSection(in: bytes) == 2)
    #expect(try header.sections(in: bytes, limit: 3).count == 3)
    #expect(
      failure { () throws(ELFError) in _ = try header.sections(in: bytes, limit: 2) }
        == .tooMany(count: 3))
  }
}

struct ELFNoteTests {
  @Test func eightByteAlignment() {
    var bytes = ELFNote(name: "GNU", type: 5, bytes: [1, 2, 3, 4]).encoded  // 20 bytes
    bytes.pad(to: 8)
    bytes += ELFNote(name: "GNU", type: 3, bytes: [9]).encoded
    var wide = ELFNoteReader(bytes, alignment: 8)
    #expect(wide.next() == .note(ELFNote(name: "GNU", type: 5, bytes: [1, 2, 3, 4])))
    #expect(wide.next() == .note(ELFNote(name: "GNU", type: 3, bytes: [9])))
    #expect(wide.next() == .end)
  }

  @Test(arguments: [(0, UInt32.max), (0, 17), (4, UInt32.max), (4, 13), (4, UInt32.max - 2)])
  func claimsBeyondTheBytesAreDamage(_ place: Int, _ value: UInt32) {
    let sound = ELFNote(name: "ABC", type: 1, bytes: Array(1...8)).encoded
    var number: [UInt8] = []
    number.append(littleEndian: value)
    var bad = sound
    bad.replaceSubrange(place..<place + 4, with: number)
    var reader = ELFNoteReader(sound + bad, alignment: 4)
    #expect(reader.next() == .note(ELFNote(name: "ABC", type: 1, bytes: Array(1...8))))
    for _ in 0..<2 {
      #expect(reader.next() == .damaged)
      #expect(reader.position == sound.count)
    }
  }
}

struct ELFSectionImageTests {
  @Test func sectionsStandWhereTheirPagesAre() throws {
    let image = ELFSectionImage([
      .init(name: ".debug_info", range: 0x1234..<0x5678), .init(name: ".debug_str", range: 8..<9),
    ])
    #expect(
      image.places == [
        .init(image: 0x1000, file: 0x1000, byteCount: 0x4678),
        .init(image: 0x6000, file: 0, byteCount: 9),
      ])
    #expect(image.byteCount == 0x7000)
    #expect(image.head.count < 4096)
    let file = Bytes(bytes: image.head)
    let header = try ELFHeader(file)
    #expect(header.type == ELFHeader.Kind.executable)
    let sections = try header.sections(in: file, limit: 10)
    #expect(sections.map(\.offset) == [0, 0x1234, 0x6008, 64])
    #expect(sections.map(\.byteCount).prefix(3) == [0, 0x4444, 1])
    #expect(sections.map(\.type) == [0, 1, 1, 3])
    let names = try #require(try header.nameSection(in: file) == 3 ? sections.last : nil)
    let text = try #require(file.elfBytes(at: names.offset, count: Int(names.byteCount)))
    #expect(
      String(decoding: text, as: UTF8.self) == "\0.debug_info\0.debug_str\0.shstrtab\0")
    #expect(sections.map(\.nameOffset) == [0, 1, 13, 24])
  }
}
