// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Glibc
import Memory
import MemoryFixtures
import Testing

@testable import DumpFile

/// An extract answers as its original did.
@Suite("Extracts") struct ExtractTests {
  static let image = MemoryImage.random(seed: 51)
  static let vmcoreinfo = Array("OSRELEASE=6.1.0\nPAGESIZE=4096\n".utf8)

  struct Original: CustomTestStringConvertible {
    var testDescription: String
    var files: [[UInt8]]

    init(_ name: String, _ files: [[UInt8]]) {
      testDescription = name
      self.files = files
    }

    func open() throws -> DumpFile {
      try DumpFile.open(contents: files.enumerated().map { ("part \($0)", $1) })
    }
  }

  static let originals: [Original] = {
    var kdump = KdumpBuilder(image)
    kdump.vmcoreinfo = vmcoreinfo
    var elf = ELFDumpBuilder(image, notes: [FixtureNote("VMCOREINFO", vmcoreinfo)])
    elf.segments[0].virtual = 0xffff_ffff_8100_0000
    // A page that is partly memory.
    elf.segments.append(.init(0x100_0000, [1, 2, 3]))
    var bad = ByteWriter()
    bad.append(kdump.build())
    // One stream damaged, one descriptor pointing far away, one with an unknown codec.
    bad.store([UInt8](repeating: 0xee, count: 20), at: bad.count - 30)
    bad.store(UInt64(1) << 40, at: 4 * 4096)
    bad.store(UInt32(0x40), at: 4 * 4096 + 24 + 12)
    return [
      Original("kdump", [kdump.build()]),
      Original("damaged kdump", [bad.bytes]),
      Original("cut kdump", [Array(kdump.build().dropLast(9000))]),
      Original("ELF", [elf.build()]),
      Original("cut ELF", [Array(elf.build().dropLast(9000))]),
      Original("flattened kdump", [flatten(kdump.build(), seed: 3)]),
      Original("two parts of three", Array(kdump.buildSplit(3).prefix(2))),
    ]
  }()

  @Test("every recorded frame, and everything else the dump says", arguments: originals)
  func roundTrip(_ original: Original) throws {
    let dump = try original.open()
    let frames = Self.image.frameSample.filter { $0 < 1 << 52 && $0 % 5 != 0 } + [0x1000]
    let symbols = [
      "init_top_pgt": [KernelAddress(0xffff_ffff_8100_0000)], "odd name\n\\": [KernelAddress(1)],
      "identity_domain": [KernelAddress(8), KernelAddress(7)],
      "\u{301}combining": [KernelAddress(2)], "": [KernelAddress(3)],
    ]
    let facts = ["a": "1", "text": "two lines\r\nand a \\", "": "empty key", "empty": ""]
    let probed = Self.image.frameSample.filter { $0 < 1 << 52 && $0 % 5 == 0 }
    let writer = ExtractWriter(
      dump, frames: frames.shuffled(), probed: probed, symbols: symbols, facts: facts)
    let bytes = try writer.bytes()
    #expect(try writer.bytes() == bytes)
    let extract = try DumpFile.open(bytes)

    #expect(extract.format == .elf)
    #expect(extract.memory.observe(frames) == dump.memory.observe(frames))
    for frame in frames + probed {
      #expect(extract.memory.absence(frame) == dump.memory.absence(frame), "frame \(frame)")
    }
    for frame in probed where dump.memory.absence(frame) == nil {
      #expect(
        Observation(extract.memory, frame).absence == .unsupported("not part of this extract"))
    }
    #expect(extract.memory.absence(0x1234_5678) == .unsupported("not part of this extract"))
    #expect(extract.memory.memoryFrames == dump.memory.memoryFrames)
    #expect(extract.virtualSegments == dump.virtualSegments)
    #expect(extract.physicalBase == dump.physicalBase)
    #expect(extract.dumpLevel == dump.dumpLevel)
    #expect(extract.release == dump.release)
    #expect(extract.timestamp == dump.timestamp)
    #expect(extract.obstacles == dump.obstacles)
    #expect(extract.vmcoreinfo == dump.vmcoreinfo)
    #expect(extract.extract?.symbols == symbols)
    #expect(extract.extract?.facts == facts)
    #expect(extract.extract == writer.note)

    let again = ExtractWriter(extract, frames: frames, probed: probed)
    #expect(try again.bytes() == bytes)
  }

  @Test("zero pages and excluded pages take no space")
  func size() throws {
    var image = MemoryImage(memory: [0..<20_000], pages: [77: page(1)])
    image.excluded = Set(10_000..<20_000)
    let dump = try DumpFile.open(KdumpBuilder(image).build())
    let bytes = try ExtractWriter(dump, frames: 0..<20_000 as Range<UInt64>).bytes()
    #expect(bytes.count == 2 * 4096)
    let extract = try DumpFile.open(bytes)
    #expect(extract.memory.absence(15_000) == .excluded)
    #expect(Observation(extract.memory, 5) == .bytes(page(0)))
    #expect(Observation(extract.memory, 77) == .bytes(page(1)))
  }

  @Test("more runs than an ELF header can count")
  func manyRuns() throws {
    let count: UInt64 = 200
    let memory = EveryOtherPage(count: count)
    var dump = try DumpFile.open(ELFDumpBuilder(MemoryImage(memory: [0..<1])).build())
    dump.memory = memory
    let frames = (0..<count).map { $0 * 2 }
    var writer = ExtractWriter(dump, frames: frames)
    writer.extendedCountLimit = 200
    let extract = try DumpFile.open(try writer.bytes())
    #expect(Array(extract.storedFrames).count == Int(count))
    for frame in [0, 2, 198, 200, 398] as [UInt64] {
      #expect(Observation(extract.memory, frame) == Observation(memory, frame))
    }
    #expect(extract.memory.absence(1) == .unsupported("not part of this extract"))
  }

  @Test("a file is written whole or not at all")
  func files() throws {
    let dump = try DumpFile.open(KdumpBuilder(Self.image).build())
    let writer = ExtractWriter(dump, frames: Self.image.frames)
    let path = "/tmp/iommuscope-extract-\(getpid())-\(UInt64.random(in: .min ... .max))"
    // The path is a terminated string for the length of each call.
    defer { _ = unsafe unlink(path) }
    try writer.write(to: path)
    // Writing over it is as good.
    try writer.write(to: path)
    let extract = try DumpFile.open([path])
    #expect(
      extract.memory.observe(Self.image.frames) == dump.memory.observe(Self.image.frames))
    #expect(unsafe access(path + ".partial", F_OK) != 0)
    #expect { try writer.write(to: "/nonexistent/x") } throws: {
      ($0 as? DumpError)?.reason == .system(errno: ENOENT)
    }
  }

  @Test(
    "a damaged note is refused, because its absences would be forgotten",
    arguments: [
      "", "extract 2\n", "extract 1\nnonsense\n", "extract 1\nmemory 0x2\n",
      "extract 1\nmemory 0x2 0x1\n", "extract 1\nmemory 0x5 0x6\nmemory 0x1 0x2\n",
      "extract 1\nmemory 0x0 0xffffffffffffffff\n", "extract 1\nabsent 0x1 0x2 0x0 lost\n",
      "extract 1\nabsent 0x1 0x2 0x1000 excluded\n", "extract 1\nabsent 0x1 0x2 0x0 corrupt\n",
      "extract 1\nrelease a\\x\n", "extract 1\nrelease a\nrelease b\n", "extract 1\nsymbol q x\n",
      "extract 1\ntimestamp 99999999999999999999\n",
    ])
  func damagedNote(_ text: String) {
    let note = FixtureNote(ExtractNote.name, type: 1, Array(text.utf8))
    var builder = ELFDumpBuilder(MemoryImage(memory: [0..<1]), notes: [note])
    #expect { try DumpFile.open(builder.build()) } throws: {
      ($0 as? DumpError)?.reason == .corrupt
    }
    builder.notes[0].type = 2
    #expect { try DumpFile.open(builder.build()) } throws: {
      ($0 as? DumpError)?.reason == .unsupported
    }
  }
}

/// Memory with bytes in every even frame only.
private final class EveryOtherPage: PhysicalMemory {
  let memoryFrames: [Range<UInt64>]
  private let stored = Page([1, 2, 3])

  init(count: UInt64) { memoryFrames = [0..<2 * count] }

  func page(_ frame: UInt64) throws(MemoryError) -> Page {
    if let absence = absence(frame) {
      throw MemoryError(at: PhysicalAddress(frame << 12), absence)
    }
    return stored
  }

  func absence(_ frame: UInt64) -> Absence? { frame % 2 == 0 ? nil : .excluded }
}
