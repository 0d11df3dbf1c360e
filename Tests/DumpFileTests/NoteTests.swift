// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import ELF
import Testing

/// Notes with every kind of size.
@Suite("Notes") struct NoteTests {
  static func open(_ bytes: [UInt8]) throws -> DumpFile {
    var builder = ELFDumpBuilder()
    // The builder's own note header is replaced: the segment's bytes are the notes.
    builder.segments = [.init(0x1000, bytes), .init(0x10_0000, page(1))]
    builder.alignment = 4
    var writer = ByteWriter()
    writer.append(builder.build())
    writer.store(UInt32(4), at: 64)
    return try DumpFile.open(writer.bytes)
  }

  @Test("names, types and bytes, also empty ones and such that need padding")
  func sound() throws {
    let notes = [
      FixtureNote("CORE", type: 1, [UInt8](repeating: 3, count: 336)),
      FixtureNote("VMCOREINFO", Array("OSRELEASE=6.1\n".utf8)),
      FixtureNote("A", type: .max, []),
      FixtureNote("", type: 7, [1]),
      FixtureNote("LINUX", type: 0x700, [1, 2, 3, 4, 5]),
    ]
    let dump = try Self.open(notes.flatMap(\.encoded))
    #expect(dump.notes == notes.map { ELFNote(name: $0.name, type: $0.type, bytes: $0.bytes) })
    #expect(dump.vmcoreinfo == Array("OSRELEASE=6.1\n".utf8))
    #expect(dump.obstacles == [])
  }

  @Test("the last note may lack its padding")
  func unpadded() throws {
    let dump = try Self.open(Array(FixtureNote("VMCOREINFO", [1, 2, 3, 4, 5]).encoded.dropLast(3)))
    #expect(dump.vmcoreinfo == [1, 2, 3, 4, 5])
    #expect(dump.obstacles == [])
  }

  @Test("an empty note ends the list, as in the kernel's own notes")
  func terminator() throws {
    let bytes = FixtureNote("A", [1]).encoded + [UInt8](repeating: 0, count: 400)
    let dump = try Self.open(bytes)
    #expect(dump.notes == [ELFNote(name: "A", type: 0, bytes: [1])])
    #expect(dump.obstacles == [])
  }

  @Test(
    "sizes beyond the segment end the list",
    arguments: [
      (0, UInt32.max), (0, 0x8000_0000), (0, 1000), (4, .max), (4, .max - 3), (4, 9), (4, 1000),
    ])
  func overlong(offset: Int, size: UInt32) throws {
    let first = FixtureNote("CORE", [1, 2, 3, 4, 5, 6, 7, 8]).encoded
    var second = ByteWriter()
    second.append(first)
    second.store(size, at: offset)
    let dump = try Self.open(first + second.bytes)
    #expect(dump.notes == [ELFNote(name: "CORE", type: 0, bytes: [1, 2, 3, 4, 5, 6, 7, 8])])
    #expect(dump.obstacles.count == 1)
    #expect(dump.obstacles.first?.contains("is damaged or cut") == true)
  }

  @Test("notes beyond the end of the file")
  func cut() throws {
    var builder = ELFDumpBuilder(MemoryImage(memory: []), notes: [FixtureNote("CORE", page(1))])
    builder.notes.insert(FixtureNote("VMCOREINFO", [1, 2]), at: 0)
    let dump = try DumpFile.open(Array(builder.build().dropLast(1000)))
    #expect(dump.vmcoreinfo == [1, 2])
    #expect(dump.notes.count == 1)
    #expect(dump.obstacles.count == 2)
  }

  @Test("many note segments over the same bytes are read up to a limit")
  func repeated() throws {
    var builder = ELFDumpBuilder()
    let note = FixtureNote("CORE", page(1)).encoded
    builder.segments = (0..<20_000).map { _ in .init(0, [], fileSize: 1 << 30, offset: 0) }
    builder.segments.append(.init(0x1000, note + page(0)))
    var writer = ByteWriter()
    writer.append(builder.build())
    for index in 0..<20_000 { writer.store(UInt32(4), at: 64 + 56 * index) }
    let dump = try DumpFile.open(writer.bytes)
    #expect(dump.obstacles.count <= 20)
  }
}
