// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Memory
import Testing

@testable import DumpFile

/// Pages that a dump holds in part: the ranges of /proc/vmcore follow firmware's map, which need not
/// begin and end with a page.
@Suite("Parts of pages") struct PartialPageTests {
  private func dump(_ segments: [ELFDumpBuilder.Segment]) throws -> DumpFile {
    var elf = ELFDumpBuilder()
    elf.segments = segments
    elf.alignment = 1
    return try DumpFile.open(elf.build())
  }

  private func pattern(_ count: Int, from first: Int = 0) -> [UInt8] {
    (first..<first + count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
  }

  @Test("the bytes that there are, and no others") func bytes() throws {
    let dump = try dump([
      .init(0x1_0400, pattern(0xc00)), .init(0x2_0000, pattern(0x1100)),
      .init(0x3_0100, pattern(8)), .init(0x3_0108, pattern(8, from: 8)),
      .init(0x3_0200, pattern(16)),
    ])
    let memory = dump.memory
    // A page is whole or is none.
    for frame in [0x10, 0x21, 0x30] as [UInt64] {
      #expect(throws: MemoryError.self) { try memory.page(frame) }
      #expect(memory.absence(frame) != nil)
    }
    #expect(memory.part(0x10)?.ranges == [0x400..<0x1000])
    #expect(memory.part(0x21)?.ranges == [0..<0x100])
    #expect(memory.part(0x30)?.ranges == [0x100..<0x110, 0x200..<0x210])
    #expect(memory.part(0x31) == nil)
    #expect(try memory.bytes(at: PhysicalAddress(0x1_0400), count: 0xc00) == pattern(0xc00))
    // Over the end of a whole page into a part.
    #expect(
      try memory.bytes(at: PhysicalAddress(0x2_0ff0), count: 0x110) == pattern(0x110, from: 0xff0))
    #expect(try memory.bytes(at: PhysicalAddress(0x3_0104), count: 12) == pattern(12, from: 4))
    #expect(try memory.littleEndian(at: PhysicalAddress(0x3_0204), as: UInt32.self) == 0x312a_231c)
    for (address, count) in [
      (0x1_03ff, 2), (0x1_0ff8, 9), (0x2_10fc, 8), (0x3_010c, 8), (0x3_01ff, 1),
    ] {
      #expect(throws: MemoryError.self) {
        try memory.bytes(at: PhysicalAddress(UInt64(address)), count: count)
      }
    }
  }

  @Test("a cut file has no part") func cutFile() throws {
    var elf = ELFDumpBuilder()
    elf.segments = [.init(0x1_0400, pattern(0xc00))]
    elf.alignment = 1
    let dump = try DumpFile.open(Array(elf.build().dropLast(1)))
    #expect(dump.memory.part(0x10) == nil)
  }

  @Test("an extract keeps them") func extract() throws {
    let original = try dump([
      .init(0x1_0400, pattern(0xc00)), .init(0x2_0000, pattern(0x1000)),
      .init(0x3_0100, pattern(8)),
      .init(0x3_0200, pattern(16)),
    ])
    let recorder = RecordingMemory(original.memory)
    for (address, count) in [(0x1_0800, 16), (0x2_0000, 16), (0x3_0200, 16)] {
      _ = try recorder.bytes(at: PhysicalAddress(UInt64(address)), count: count)
    }
    #expect(throws: MemoryError.self) {
      try recorder.bytes(at: PhysicalAddress(0x3_0180), count: 1)
    }
    let writer = ExtractWriter(original, frames: recorder.record.map(\.frame))
    let extract = try DumpFile.open(try writer.bytes())
    for (address, count) in [(0x1_0800, 16), (0x1_0400, 0xc00), (0x2_0000, 4096), (0x3_0200, 16)] {
      #expect(
        try extract.memory.bytes(at: PhysicalAddress(UInt64(address)), count: count)
          == original.memory.bytes(at: PhysicalAddress(UInt64(address)), count: count))
    }
    for frame in [0x10, 0x20, 0x30, 0x31] as [UInt64] {
      #expect(extract.memory.part(frame)?.ranges == original.memory.part(frame)?.ranges)
      #expect((try? extract.memory.page(frame)) == nil || frame == 0x20)
    }
    var mine: MemoryError?
    var theirs: MemoryError?
    do { _ = try original.memory.page(0x10) } catch { mine = error }
    do { _ = try extract.memory.page(0x10) } catch { theirs = error }
    #expect(mine == theirs && mine != nil)
    // And an extract of the extract.
    let again = ExtractWriter(extract, frames: recorder.record.map(\.frame))
    #expect(try again.bytes().count == writer.bytes().count)
  }
}
