// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Memory
import MemoryFixtures
import Testing

/// How segments of an ELF core become pages.
///
/// The memory of each case is drawn in quarters of a page: a letter is a segment that stores bytes
/// there (A is the first in the file), `-` is memory without bytes, a space is no memory.
@Suite("ELF segments") struct ELFMemoryTests {
  struct Case: CustomTestStringConvertible {
    var testDescription: String
    /// One drawing for each segment, in file order.
    var segments: [String]
    /// What every quarter should hold, page by page; `?` stands for a page with a hole, `!` for one
    /// that is partly not memory.
    var expected: String

    init(_ name: String, _ segments: [String], _ expected: String) {
      testDescription = name
      self.segments = segments
      self.expected = expected
    }
  }

  static let cases = [
    Case("one segment", ["AAAAAAAA"], "AAAAAAAA"),
    Case("side by side", ["AAAA", "    BBBB"], "AAAABBBB"),
    Case("in descending order", ["    AAAA", "BBBB"], "BBBBAAAA"),
    Case("a gap between", ["AAAA", "        BBBB"], "AAAA    BBBB"),
    Case("same place", ["AAAA", "BBBB"], "AAAA"),
    Case("second over the tail of the first", ["AAAAAAAA", "    BBBBBBBB"], "AAAAAAAABBBB"),
    Case("second over the head of the first", ["    AAAAAAAA", "BBBBBBBB"], "BBBBAAAAAAAA"),
    Case("second inside the first", ["AAAAAAAAAAAA", "    BBBB"], "AAAAAAAAAAAA"),
    Case("second around the first", ["    AAAA", "BBBBBBBBBBBB"], "BBBBAAAABBBB"),
    Case("second around the first, inside a page", [" AA ", "BBBBBBBB"], "BAABBBBB"),
    Case("same start, second longer", ["AAAA", "BBBBBBBB"], "AAAABBBB"),
    Case("same end, second longer", ["    AAAA", "BBBBBBBB"], "BBBBAAAA"),
    Case("three over each other", ["  AAAA", "BBBB    BBBB", "CCCCCCCCCCCC"], "BBAAAACCBBBB"),
    Case("a page from two segments", ["AA", "  BBBBBB"], "AABBBBBB"),
    Case("a page from four segments", ["A", " B", "  C", "   D"], "ABCD"),
    Case("a page only half covered", ["AAAAAA"], "AAAA!!!!"),
    Case("a page covered at both ends", ["A", "   B"], "!!!!"),
    Case("memory without bytes", ["----"], "????"),
    Case("bytes, then none", ["AAAA----"], "AAAA????"),
    Case("bytes end inside a page", ["AA--"], "????"),
    Case("a later segment fills the hole", ["AAAA----", "    BBBB"], "AAAABBBB"),
    Case("a later segment fills half of the hole", ["AA--", "  B-"], "????"),
    Case("a hole over an earlier segment's bytes", ["AAAA", "--------"], "AAAA????"),
    Case("an empty segment", ["", "BBBB"], "BBBB"),
  ]

  @Test("each page comes from the right segment", arguments: cases)
  func overlaps(_ item: Case) throws {
    let quarter = 1024
    let base: UInt64 = 0x10_0000
    var builder = ELFDumpBuilder()
    for drawing in item.segments {
      // A drawing with a space inside is two segments.
      for part in drawing.split(separator: " ", omittingEmptySubsequences: true) {
        let start = drawing.distance(from: drawing.startIndex, to: part.startIndex)
        let letters = part.utf8.prefix { $0 != UInt8(ascii: "-") }
        builder.segments.append(
          .init(
            base + UInt64(start * quarter),
            letters.flatMap { [UInt8](repeating: $0, count: quarter) },
            memorySize: UInt64(part.utf8.count * quarter)))
      }
      if drawing.isEmpty { builder.segments.append(.init(base)) }
    }
    let dump = try DumpFile.open(builder.build())
    let expected = Array(item.expected.utf8)
    for index in stride(from: 0, to: expected.count + 4, by: 4) {
      let frame = base >> 12 + UInt64(index / 4)
      let quarters = expected.dropFirst(index).prefix(4)
      let found = Observation(dump.memory, frame)
      switch quarters.first {
      case nil, UInt8(ascii: " "), UInt8(ascii: "!"): #expect(found.absence == .notInDump)
      case UInt8(ascii: "?"): #expect(found.absence == .zeroOrExcluded)
      default:
        #expect(found == .bytes(quarters.flatMap { [UInt8](repeating: $0, count: quarter) }))
      }
      #expect(dump.memory.absence(frame) == found.absence)
      dump.memory.relax(frame..<frame + 2)
      #expect(Observation(dump.memory, frame) == found)
    }
  }

  @Test(
    "random segments agree with a byte-by-byte reader", arguments: 1...25 as ClosedRange<UInt64>)
  func randomOverlaps(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var builder = ELFDumpBuilder()
    builder.alignment = 1
    var bytes: [UInt64: UInt8] = [:]
    var described: Set<UInt64> = []
    for index in 0..<Int.random(in: 1...12, using: &generator) {
      let unit: UInt64 = Bool.random(using: &generator) ? 4096 : 512
      let start = UInt64.random(in: 0..<48 * 4096 / unit / 8, using: &generator) * unit
      let count = UInt64.random(in: 1...6, using: &generator) * unit
      let stored = min(count, UInt64.random(in: 0...7, using: &generator) * unit)
      builder.segments.append(
        .init(start, [UInt8](repeating: UInt8(index + 1), count: Int(stored)), memorySize: count))
      for address in start..<start + count {
        described.insert(address)
        if address < start + stored, bytes[address] == nil { bytes[address] = UInt8(index + 1) }
      }
    }
    let dump = try DumpFile.open(builder.build())
    for frame in 0..<16 as Range<UInt64> {
      let addresses = frame << 12..<(frame + 1) << 12
      let expected: Observation
      if let missing = addresses.first(where: { bytes[$0] == nil }) {
        expected = .absent(
          described.contains(missing) ? .zeroOrExcluded : .notInDump, at: PhysicalAddress(missing))
      } else {
        expected = .bytes(addresses.compactMap { bytes[$0] })
      }
      #expect(Observation(dump.memory, frame) == expected, "seed \(seed), frame \(frame)")
      #expect(dump.memory.absence(frame) == expected.absence, "seed \(seed), frame \(frame)")
    }
    let frames = Set(described.map { $0 >> 12 })
    #expect(Set(dump.memory.memoryFrames.flatMap(Array.init)) == frames, "seed \(seed)")
    let stored = Set(bytes.keys.map { $0 >> 12 })
    #expect(Set(dump.storedFrames.flatMap(Array.init)) == stored, "seed \(seed)")
  }

  @Test("a file that ends early loses pages, and no page changes")
  func truncation() throws {
    let image = MemoryImage.random(seed: 5)
    let whole = ELFDumpBuilder(image).build()
    let original = try DumpFile.open(whole)
    for count in stride(from: 4096 + 100, to: whole.count, by: 9001) {
      let cut = try DumpFile.open(Array(whole.prefix(count)))
      #expect(cut.obstacles.count == 1)
      for frame in image.frames {
        let found = Observation(cut.memory, frame)
        if case .absent(.truncated(let offset), _) = found {
          #expect(offset + 4096 > count)
          #expect(Observation(original.memory, frame).absence == nil)
        } else {
          #expect(found == Observation(original.memory, frame))
        }
        #expect(cut.memory.absence(frame) == found.absence)
        if found.absence == nil {
          #expect(cut.storedFrames.contains { $0.contains(frame) })
        }
      }
    }
  }

  @Test("bytes that are cut do not come from a later segment instead")
  func truncatedOverlap() throws {
    var builder = ELFDumpBuilder()
    builder.segments = [.init(0x1000, page(1), offset: 1 << 30), .init(0x1000, page(2))]
    let dump = try DumpFile.open(builder.build())
    #expect(dump.memory.absence(1) == .truncated(fileOffset: 1 << 30))
  }

  struct Odd: CustomTestStringConvertible {
    var testDescription: String
    var segment: ELFDumpBuilder.Segment
    var obstacle: String
    /// The absence of frame 1, `nil` for a page.
    var absence: Absence?

    init(
      _ name: String, _ segment: ELFDumpBuilder.Segment, _ obstacle: String, _ absence: Absence?
    ) {
      testDescription = name
      self.segment = segment
      self.obstacle = obstacle
      self.absence = absence
    }
  }

  static let oddSegments = [
    Odd("p_paddr −1", .init(.max, page(1)), "no usable physical range", .notInDump),
    Odd("p_paddr beyond 52 bits", .init(1 << 52, page(1)), "no usable physical range", .notInDump),
    Odd(
      "p_memsz overflows", .init(0x1000, page(1), memorySize: .max), "no usable physical range",
      .notInDump),
    Odd(
      "p_filesz overflows", .init(0x1000, page(1), fileSize: .max), "no usable physical range",
      .notInDump),
    Odd(
      "p_offset overflows", .init(0x1000, page(1), offset: .max), "beyond the end of the file",
      .zeroOrExcluded),
    Odd(
      "p_offset behind the file", .init(0x1000, page(1), offset: 1 << 40),
      "beyond the end of the file", .truncated(fileOffset: 1 << 40)),
    Odd(
      "p_filesz greater than p_memsz", .init(0x1000, page(1), memorySize: 16),
      "more bytes than it has memory", nil),
  ]

  @Test("nonsense in a program header becomes one sentence", arguments: oddSegments)
  func oddSegment(_ odd: Odd) throws {
    var builder = ELFDumpBuilder()
    builder.segments = [odd.segment, .init(0x8000, page(8))]
    let dump = try DumpFile.open(builder.build())
    #expect(dump.obstacles.count == 1)
    #expect(dump.obstacles.first?.contains(odd.obstacle) == true, "\(dump.obstacles)")
    #expect(dump.memory.absence(1) == odd.absence)
    #expect(Observation(dump.memory, 8) == .bytes(page(8)))
  }

  @Test("many odd segments are one sentence")
  func manyOddSegments() throws {
    var builder = ELFDumpBuilder()
    builder.segments = (0..<1000).map { _ in .init(.max, [1]) } + [.init(0x1000, page(1))]
    let dump = try DumpFile.open(builder.build())
    #expect(
      dump.obstacles == [
        "program header 0 has no usable physical range and is left out (1000 program headers in all)"
      ])
  }

  @Test("70,000 segments, their count in section 0")
  func manySegments() throws {
    var builder = ELFDumpBuilder()
    builder.hasExtendedCount = true
    builder.segments = (0..<70_000).map { .init(UInt64($0) << 13, memorySize: 4096) }
    builder.segments.append(.init(69_999 << 13 + 4096, page(3)))
    let dump = try DumpFile.open(builder.build())
    #expect(dump.memory.memoryFrames.count == 70_000)
    #expect(Observation(dump.memory, 69_999 * 2 + 1) == .bytes(page(3)))
    #expect(dump.memory.absence(69_998 * 2) == .zeroOrExcluded)
    #expect(dump.memory.absence(69_998 * 2 + 1) == .notInDump)
  }

  @Test("virtual segments are those of the upper half")
  func virtualSegments() throws {
    var builder = ELFDumpBuilder()
    builder.segments = [
      .init(0x100_0000, page(1), virtual: 0xffff_ffff_8100_0000),
      .init(0x1000, page(2), memorySize: 0x9000, virtual: 0xffff_8880_0000_1000),
      .init(0xfffc_0000, page(3), virtual: 0xfffc_0000),
    ]
    let dump = try DumpFile.open(builder.build())
    #expect(
      dump.virtualSegments == [
        VirtualSegment(
          virtual: KernelAddress(0xffff_ffff_8100_0000), physical: PhysicalAddress(0x100_0000),
          byteCount: 0x1000),
        VirtualSegment(
          virtual: KernelAddress(0xffff_8880_0000_1000), physical: PhysicalAddress(0x1000),
          byteCount: 0x9000),
      ])
  }

  @Test("makedumpfile's incomplete flag is an obstacle")
  func incompleteFlag() throws {
    var builder = ELFDumpBuilder(MemoryImage.random(seed: 1))
    builder.flags = 1
    #expect(
      try DumpFile.open(builder.build()).obstacles == [
        "makedumpfile marked the dump as incomplete: it ran out of space"
      ])
  }
}
