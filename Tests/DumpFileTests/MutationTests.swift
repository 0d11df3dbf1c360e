// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Memory
import MemoryFixtures
import Testing

/// Damaged dumps open or throw, and every page of them is read or has a reason why not.
///
/// A failure here ends the process; the last line printed has the seed.
@Suite("Damaged dumps") struct MutationTests {
  struct Source: CustomTestStringConvertible {
    var testDescription: String
    var files: [[UInt8]]
    /// Bytes from the start that hold headers.
    var focus: Int

    init(_ name: String, _ files: [[UInt8]], focus: Int) {
      testDescription = name
      self.files = files
      self.focus = focus
    }
  }

  static let sources: [Source] = {
    let image = MemoryImage.random(seed: 61, frames: 24)
    let notes = [
      FixtureNote("CORE", type: 1, [UInt8](repeating: 1, count: 40)),
      FixtureNote("VMCOREINFO", Array("OSRELEASE=6.1\n".utf8)),
    ]
    let elf = ELFDumpBuilder(image, notes: notes)
    var qemu = elf
    qemu.layout = .qemu
    qemu.hasExtendedCount = true
    var kdump = KdumpBuilder(image)
    kdump.notes = notes
    kdump.vmcoreinfo = Array("OSRELEASE=6.1\n".utf8)
    let coreSize = 64 + 56 * (elf.segments.count + 1) + 200
    let kdumpSize = 4 * 4096 + 24 * 24
    var result = [
      Source("ELF", [elf.build()], focus: coreSize),
      Source("ELF in QEMU's layout", [qemu.build()], focus: coreSize + 128),
      Source("flattened ELF", [flatten(elf.build(), seed: 1)], focus: 12_000),
      Source("flattened kdump", [flatten(kdump.build(), seed: 2)], focus: 12_000),
      Source("split kdump", kdump.buildSplit(2), focus: kdumpSize),
    ]
    for codec in Compressor.available {
      kdump.codec = codec
      result.append(Source("kdump, \(codec)", [kdump.build()], focus: kdumpSize))
    }
    if let dump = try? DumpFile.open(kdump.build()),
      let extract = try? ExtractWriter(dump, frames: image.frames, facts: ["a": "b"]).bytes()
    {
      result.append(Source("extract", [extract], focus: 1500))
    }
    return result
  }()

  @Test("400 kinds of damage each", arguments: sources)
  func survives(_ source: Source) {
    var opened = 0
    for seed in 1...400 as ClosedRange<UInt64> {
      opened += Self.attempt(source, seed: seed) ? 1 : 0
    }
    // If hardly anything opened, the test would only try the first checks.
    #expect(opened > 100, "\(opened) of 400")
  }

  /// Opens one damaged copy and reads all that it offers.
  private static func attempt(_ source: Source, seed: UInt64) -> Bool {
    var mutator = Mutator(seed: seed)
    let files = source.files.map { mutator.mutate($0, focus: source.focus) }
    guard let dump = try? DumpFile.open(contents: files.map { ("seed \(seed)", $0) }) else {
      return false
    }
    var frames = Array(0..<64 as Range<UInt64>)
    for range in dump.memory.memoryFrames.prefix(8) {
      frames += [range.lowerBound, range.upperBound - 1, range.upperBound]
    }
    for range in dump.storedFrames.prefix(8) { frames += [range.lowerBound, range.upperBound - 1] }
    frames += [1 << 32, 1 << 52, .max]
    for frame in frames {
      let found = Observation(dump.memory, frame)
      let absence = dump.memory.absence(frame)
      // What is known to be absent is not readable; what reads is not absent.
      #expect(found.absence == absence || absence == nil, "\(source), seed \(seed), frame \(frame)")
    }
    #expect(dump.obstacles.count < 64, "\(source), seed \(seed)")
    if seed % 8 == 0,
      let extract = try? ExtractWriter(dump, frames: frames.filter { $0 < 1 << 52 }).bytes()
    {
      #expect(throws: Never.self, "\(source), seed \(seed)") { try DumpFile.open(extract) }
    }
    return true
  }
}
