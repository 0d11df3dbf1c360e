// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import ELF
import Memory
import MemoryFixtures
import Testing

/// What kdump headers say and how damage to them shows.
@Suite("kdump-compressed dumps") struct KdumpTests {
  static let image = MemoryImage.random(seed: 21)
  static let vmcoreinfo = Array("OSRELEASE=6.1.0-56-amd64\nPAGESIZE=4096\n".utf8)

  struct Header: CustomTestStringConvertible {
    var version: Int32
    var hasVMCOREINFO: Bool
    var noteCount: Int
    var testDescription: String { "version \(version)" }
  }

  @Test(
    "each version has the fields of its time",
    arguments: [
      Header(version: 1, hasVMCOREINFO: false, noteCount: 0),
      Header(version: 2, hasVMCOREINFO: false, noteCount: 0),
      Header(version: 3, hasVMCOREINFO: true, noteCount: 0),
      Header(version: 4, hasVMCOREINFO: true, noteCount: 2),
      Header(version: 5, hasVMCOREINFO: true, noteCount: 2),
      Header(version: 6, hasVMCOREINFO: true, noteCount: 2),
    ])
  func headerFields(_ item: Header) throws {
    var builder = KdumpBuilder(Self.image)
    builder.version = item.version
    builder.vmcoreinfo = Self.vmcoreinfo
    builder.notes = [
      FixtureNote("CORE", type: 1, [1, 2, 3]), FixtureNote("VMCOREINFO", Self.vmcoreinfo),
    ]
    let dump = try DumpFile.open(builder.build())
    #expect(dump.release == "6.1.0-56-amd64")
    #expect(dump.timestamp == 1_795_417_719)
    #expect(dump.physicalBase == 0x0100_0000)
    #expect(dump.dumpLevel == 31)
    #expect(dump.vmcoreinfo == (item.hasVMCOREINFO ? Self.vmcoreinfo : nil))
    #expect(dump.notes.count == item.noteCount)
    if item.noteCount > 0 {
      #expect(dump.notes.first == ELFNote(name: "CORE", type: 1, bytes: [1, 2, 3]))
    }
    #expect(dump.virtualSegments == [])
    #expect(dump.extract == nil)
  }

  @Test("vmcoreinfo comes from the notes where the sub header has none")
  func vmcoreinfoNote() throws {
    var builder = KdumpBuilder(Self.image)
    builder.notes = [FixtureNote("VMCOREINFO", Self.vmcoreinfo)]
    #expect(try DumpFile.open(builder.build()).vmcoreinfo == Self.vmcoreinfo)
  }

  @Test("QEMU's variant: everything is dumped, the kernel and the time are not known")
  func qemu() throws {
    var image = Self.image
    image.excluded = []
    var builder = KdumpBuilder(image)
    builder.release = ""
    builder.timestamp = 0
    builder.dumpLevel = 1
    builder.notes = [FixtureNote("CORE", type: 1, [1]), FixtureNote("QEMU", [2])]
    let dump = try DumpFile.open(builder.build())
    #expect(dump.release == nil)
    #expect(dump.timestamp == nil)
    #expect(dump.vmcoreinfo == nil)
    #expect(dump.notes.map(\.name) == ["CORE", "QEMU"])
    #expect(dump.memory.memoryFrames == image.memory)
    #expect(Array(dump.storedFrames) == image.memory)
  }

  @Test("diskdump has another sub header, and one bitmap in a whole dump")
  func diskdump() throws {
    var image = Self.image
    image.excluded = []
    image.memory = [0..<image.frameLimit]
    var builder = KdumpBuilder(image)
    builder.signature = "DISKDUMP"
    let dump = try DumpFile.open(builder.build())
    #expect(dump.physicalBase == nil)
    #expect(dump.dumpLevel == nil)
    #expect(dump.timestamp == 1_795_417_719)
    #expect(dump.obstacles == [])
    builder.hasOneBitmap = true
    // One block of bitmap holds 32,768 frames: it cannot be two bitmaps only if there are more.
    builder.image.memory = [0..<40_000]
    builder.image.pages[39_999] = page(9)
    let whole = try DumpFile.open(builder.build())
    #expect(whole.memory.memoryFrames == [0..<40_000])
    #expect(Observation(whole.memory, 39_999) == .bytes(page(9)))
    #expect(Observation(whole.memory, 3) == expectation(builder.image, 3))
  }

  @Test("pages that had no space any more are cut, the others are there")
  func incomplete() throws {
    var builder = KdumpBuilder(Self.image)
    builder.isIncomplete = true
    builder.descriptorLimit = 9
    let bytes = builder.build()
    let dump = try DumpFile.open(bytes)
    #expect(dump.obstacles == ["makedumpfile marked the dump as incomplete: it ran out of space"])
    let stored = Self.image.frames.filter { !Self.image.excluded.contains($0) }
    for (index, frame) in stored.enumerated() {
      let found = Observation(dump.memory, frame)
      if index < 9 {
        #expect(found == expectation(Self.image, frame))
      } else {
        #expect(found.absence == .truncated(fileOffset: UInt64(bytes.count)))
      }
      #expect(dump.memory.absence(frame) == found.absence)
    }
  }

  @Test("a file that ends early loses pages, and no page changes")
  func truncation() throws {
    let whole = KdumpBuilder(Self.image).build()
    for count in stride(from: 4096 + 104, to: whole.count, by: 1999) {
      let cut = try DumpFile.open(Array(whole.prefix(count)))
      #expect(!cut.obstacles.isEmpty, "\(count) of \(whole.count)")
      for frame in Self.image.frameSample {
        let found = Observation(cut.memory, frame)
        if case .absent(.truncated, _) = found {
        } else {
          #expect(found == expectation(Self.image, frame), "\(count) bytes, frame \(frame)")
        }
        #expect(cut.memory.absence(frame) == found.absence)
      }
    }
  }

  struct Damage: CustomTestStringConvertible {
    var testDescription: String
    /// Offset in the first page descriptor, and the bytes that go there.
    var offset: Int
    var bytes: [UInt8]
    var expected: @Sendable (Absence?) -> Bool

    init(
      _ name: String, _ offset: Int, _ value: UInt64, size: Int,
      _ expected: @escaping @Sendable (Absence?) -> Bool
    ) {
      testDescription = name
      self.offset = offset
      bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
      self.expected = expected
    }
  }

  static let damages = [
    Damage("data behind the end", 0, 1 << 40, size: 8) { $0 == .truncated(fileOffset: 1 << 40) },
    Damage("data at a negative offset", 0, .max - 7, size: 8, isCorrupt("points to")),
    Damage("data in the headers", 0, 8, size: 8, isCorrupt("points to 0x8")),
    Damage("no bytes", 8, 0, size: 4, isCorrupt("says 0 bytes")),
    Damage("4 GiB of bytes", 8, 0xffff_ffff, size: 4, isCorrupt("says 4294967295 bytes")),
    Damage("two codecs", 12, 3, size: 4, isCorrupt("several codecs")),
    Damage("a codec of the future", 12, 0x40, size: 4) {
      if case .unsupported(let what) = $0 { what.contains("0x40") } else { false }
    },
    Damage("not compressed but short", 12, 0, size: 4, isCorrupt("stored as it is")),
    Damage("stream cut", 8, 12, size: 4, isCorrupt("zlib stream")),
  ]

  static func isCorrupt(_ word: String) -> @Sendable (Absence?) -> Bool {
    { if case .corrupt(_, let what) = $0 { what.contains(word) } else { false } }
  }

  @Test("a damaged page descriptor costs its own page", arguments: damages)
  func damagedDescriptor(_ damage: Damage) throws {
    let image = MemoryImage(memory: [0..<2], pages: [0: page(1), 1: page(2)])
    var writer = ByteWriter()
    writer.append(KdumpBuilder(image).build())
    // Header, sub header and two bitmaps of one block each.
    writer.store(damage.bytes, at: 4 * 4096 + damage.offset)
    let dump = try DumpFile.open(writer.bytes)
    let found = Observation(dump.memory, 0).absence
    #expect(damage.expected(found), "\(String(describing: found))")
    #expect(Observation(dump.memory, 1) == .bytes(page(2)))
  }

  @Test("streams of other sizes than a page are corrupt", arguments: Compressor.available)
  func wrongSize(_ codec: Compressor) throws {
    guard codec != .none else { return }
    for count in [0, 1, 4095, 4097, 100_000] {
      let stream = try #require(codec.compress([UInt8](repeating: 7, count: count)))
      let image = MemoryImage(memory: [0..<1], pages: [0: page(1)])
      var builder = KdumpBuilder(image, codec: codec)
      builder.sharesZeroPage = false
      var writer = ByteWriter()
      writer.append(builder.build())
      writer.store(UInt32(stream.count), at: 4 * 4096 + 8)
      writer.store(stream, at: 4 * 4096 + 24)
      let dump = try DumpFile.open(writer.bytes)
      guard case .corrupt(_, let what) = Observation(dump.memory, 0).absence else {
        Issue.record("\(count) bytes: \(Observation(dump.memory, 0))")
        continue
      }
      #expect(what.contains("\(codec) stream"))
    }
  }

  @Test("a page of zeros that others share is damaged", arguments: [Compressor.none, .zlib])
  func damagedZeros(_ codec: Compressor) throws {
    let image = MemoryImage(memory: [0..<4], pages: [0: page(1), 3: page(2)])
    var writer = ByteWriter()
    writer.append(KdumpBuilder(image, codec: codec).build())
    // Behind header, sub header, two bitmaps and four descriptors.
    let zeros = 4 * 4096 + 4 * 24
    let sound = try DumpFile.open(writer.bytes)
    #expect(Observation(sound.memory, 1) == .bytes(page(0)))
    writer.store(UInt8(1), at: zeros + 77)
    let dump = try DumpFile.open(writer.bytes)
    for frame in [1, 2] as [UInt64] {
      let found = Observation(dump.memory, frame).absence
      #expect(Self.isCorrupt("share is not zero")(found), "\(String(describing: found))")
    }
    #expect(Observation(dump.memory, 0) == .bytes(page(1)))
    #expect(Observation(dump.memory, 3) == .bytes(page(2)))
  }

  @Test("a writer that shares no page may put any page first", arguments: [1, 2] as [UInt64])
  func firstPage(_ count: UInt64) throws {
    let image = MemoryImage(memory: [0..<count], pages: [0: page(1), 1: page(1)])
    var builder = KdumpBuilder(image, codec: .none)
    builder.sharesZeroPage = false
    let dump = try DumpFile.open(builder.build())
    for frame in 0..<count { #expect(Observation(dump.memory, frame) == .bytes(page(1))) }
  }

  @Test("each part of a split dump has a page of zeros of its own")
  func damagedZerosOfAPart() throws {
    let image = MemoryImage(memory: [0..<8], pages: [0: page(1), 7: page(2)])
    var parts = KdumpBuilder(image, codec: .zlib).buildSplit(2)
    parts[1][4 * 4096 + 4 * 24 + 4095] = 9
    let dump = try DumpFile.open(
      contents: parts.enumerated().map { (name: "part \($0.offset)", bytes: $0.element) })
    for frame in 1..<4 as Range<UInt64> {
      #expect(Observation(dump.memory, frame) == .bytes(page(0)))
    }
    for frame in 4..<7 as Range<UInt64> {
      #expect(Self.isCorrupt("share is not zero")(Observation(dump.memory, frame).absence))
    }
    #expect(Observation(dump.memory, 7) == .bytes(page(2)))
  }

  @Test("a bitmap of 2³² blocks that the file does not have")
  func hugeBitmap() throws {
    var writer = ByteWriter()
    writer.append(KdumpBuilder(Self.image).build())
    writer.store(UInt32.max, at: 436)
    writer.store(UInt64.max, at: 4096 + 96)
    let dump = try DumpFile.open(writer.bytes)
    #expect(!dump.obstacles.isEmpty)
    #expect(dump.memory.memoryFrames.count < 8 * writer.count)
    for frame in Self.image.frameSample { #expect(dump.memory.absence(frame) != nil) }
  }
}
