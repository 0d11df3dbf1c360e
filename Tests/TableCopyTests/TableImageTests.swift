// SPDX-License-Identifier: Apache-2.0

import ELF
import Memory
import MemoryFixtures
import RemappingState
import TableCopy
import TableFixtures
import Testing
import VTd

struct TableImageTests {
  /// Reads the program headers back and gives memory by them, knowing nothing of the writer.
  private func load(_ bytes: [UInt8]) throws -> (memory: SyntheticMemory, note: String) {
    let memory = SyntheticMemory()
    var note = ""
    #expect(Array(bytes.prefix(4)) == [0x7f, 0x45, 0x4c, 0x46])
    #expect(try bytes.littleEndian(at: 16, as: UInt16.self) == 4)
    let headers: UInt64 = try bytes.littleEndian(at: 32)
    let count: UInt16 = try bytes.littleEndian(at: 56)
    for index in 0..<Int(count) {
      let header = Int(headers) + index * 56
      let type: UInt32 = try bytes.littleEndian(at: header)
      let offset: UInt64 = try bytes.littleEndian(at: header + 8)
      let physical: UInt64 = try bytes.littleEndian(at: header + 24)
      let size: UInt64 = try bytes.littleEndian(at: header + 32)
      if type == 4 {
        let name: UInt32 = try bytes.littleEndian(at: Int(offset))
        let length: UInt32 = try bytes.littleEndian(at: Int(offset) + 4)
        let start = Int(offset) + 12 + (Int(name) + 3) / 4 * 4
        note = String(decoding: bytes[start..<start + Int(length)], as: UTF8.self)
      } else {
        #expect(offset % 4096 == 0)
        for word in stride(from: 0, to: size, by: 8) {
          memory[physical + word] = try bytes.littleEndian(at: Int(offset + word))
        }
      }
    }
    return (memory, note)
  }

  private func bytes(_ image: TableImage) -> [UInt8] {
    var bytes: [UInt8] = []
    image.write { bytes += $0 }
    return bytes
  }

  @Test func readsBackAsTablesThatTranslateTheSame() throws {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1234_5000, to: 0xabc_d000, in: top)
    machine.context(devfn: 0x10, table: top)
    var copier = TableCopier(base: PhysicalAddress(4 << 30))
    let copy = copier.copyAll(machine.unit)
    let root = try #require(copy.rootTable)
    let image = TableImage(
      copier.arena,
      roots: [
        .init(
          unit: "dmar0", segment: 0, rootTable: root, mode: "legacy", capability: 0x10,
          extendedCapability: 0x20)
      ], keeping: [], of: machine.memory)
    let (memory, note) = try load(bytes(image))
    #expect(note == "unit=dmar0 root=0x100000000 mode=legacy cap=0x10 ecap=0x20 segment=0\n")
    let reading = TranslationTables(
      memory: memory, rootTable: root, mode: .legacy, capabilities: LegacyMachine.capabilities
    ).read()
    let space = try #require(reading.paths.first?.addressSpace)
    let trace = PageTableWalk(memory: memory, space: space).translate(
      IOVirtualAddress(0x1234_5678))
    #expect(
      trace.ending == .mapped(PhysicalAddress(0xabc_d678), pageSize: 4096, access: .all))
  }

  @Test func oldTablesStandAtTheirOwnAddresses() throws {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1234_5000, to: 0xabc_d000, in: top)
    machine.context(devfn: 0x10, table: top)
    var copier = TableCopier(base: PhysicalAddress(4 << 30))
    _ = copier.copyContexts(
      machine.unit, rule: ContextCopyRule(marker: .bitmap, readsHalves: false))
    var tables = TableInventory()
    tables.add(machine.unit, of: "dmar0", budget: CopyBudget())
    #expect(tables.frames == [1, 2, 0x100, 0x101, 0x102, 0x103])
    let image = TableImage(
      copier.arena, roots: [], keeping: tables.frames + [0xdead], of: machine.memory)
    let (memory, _) = try load(bytes(image))
    #expect(memory[top] == machine.memory[top])
    #expect(memory.absence(0xdead) != nil)
  }

  /// More stretches than the header's 16 bits can count: nothing is left out, least of all the root,
  /// and what tells of it stands in front of the many headers.
  @Test func scatteredTablesAreAllThere() throws {
    var machine = LegacyMachine()
    let top = machine.page()
    machine.map(0x1234_5000, to: 0xabc_d000, in: top)
    machine.context(devfn: 0x10, table: top)
    var copier = TableCopier(base: PhysicalAddress(4 << 30))
    let root = try #require(copier.copyAll(machine.unit).rootTable)
    let frames = (0..<66_000).map { UInt64(2 * $0 + 0x1000) }
    let image = TableImage(copier.arena, roots: [], keeping: frames, of: ZeroMemory())

    let sink = ImageHead()
    image.write { sink.take($0) }
    let header = try ELFHeader(sink)
    let segments = try header.segments(in: sink, limit: 1 << 20)
    #expect(segments.count == 66_002)
    // e_phoff of the header.
    let headers = try #require(sink.elfBytes(at: 32, count: 8)).enumerated().reduce(UInt64(0)) {
      $0 | UInt64($1.element) << UInt64(8 * $1.offset)
    }
    #expect(segments[0].offset < headers && (headers - 64) % 56 == 0)
    let arena = segments[1]
    #expect(arena.physical == 4 << 30)
    let last = try #require(segments.last)
    #expect(last.offset + last.fileSize == sink.byteCount)
    let expected = try copier.arena.page(root.frame)
    let place = Int(arena.offset + root.rawValue - arena.physical) / Page.size
    let written = try #require(sink.pages[place])
    #expect(!expected.isZero)
    #expect(
      (0..<512).allSatisfy {
        (try? written.littleEndian(at: 8 * $0, as: UInt64.self)) == expected[word: $0]
      })
  }
}

/// Zeros at every address.
private final class ZeroMemory: PhysicalMemory {
  func page(_ frame: UInt64) throws(MemoryError) -> Page { .zero }
  func absence(_ frame: UInt64) -> Absence? { nil }
  var memoryFrames: [Range<UInt64>] { [0..<1 << 20] }
}

/// Keeps the start of a file and its pages that are not zeros.
private final class ImageHead: ELFSource {
  private var head: [UInt8] = []
  private(set) var pages: [Int: [UInt8]] = [:]
  private(set) var byteCount: UInt64 = 0

  func take(_ bytes: [UInt8]) {
    if byteCount == 0 {
      head = bytes
    } else if bytes.contains(where: { $0 != 0 }) {
      pages[Int(byteCount) / Page.size] = bytes
    }
    byteCount += UInt64(bytes.count)
  }

  func holds(_ count: UInt64, at offset: UInt64) -> Bool {
    offset <= head.count && count <= UInt64(head.count) - offset
  }

  func elfBytes(at offset: UInt64, count: Int) -> [UInt8]? {
    holds(UInt64(count), at: offset) ? Array(head[Int(offset)..<Int(offset) + count]) : nil
  }
}
