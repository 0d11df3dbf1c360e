// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Memory
import MemoryFixtures
import Testing

/// Parts of one dump, some of them missing.
@Suite("Split dumps") struct SplitTests {
  static let image = MemoryImage.random(seed: 31)
  static let limit = image.frameLimit

  struct Case: CustomTestStringConvertible {
    var given: [Int]
    /// Parts without a file, as ranges of part numbers.
    var missing: [Range<UInt64>]
    var testDescription: String { "parts \(given) of 0 to 3" }
  }

  @Test(
    "a missing part is named and its pages say so",
    arguments: [
      Case(given: [0, 1, 2, 3], missing: []),
      Case(given: [3, 1, 0, 2], missing: []),
      Case(given: [0], missing: [1..<4]),
      Case(given: [3], missing: [0..<3]),
      Case(given: [2, 0], missing: [1..<2, 3..<4]),
      Case(given: [1, 2], missing: [0..<1, 3..<4]),
    ])
  func missing(_ item: Case) throws {
    let parts = KdumpBuilder(Self.image).buildSplit(4)
    let dump = try DumpFile.open(contents: item.given.map { ("part \($0)", parts[$0]) })
    #expect(dump.format == .splitKdump)
    let frames = item.missing.map {
      Self.limit * $0.lowerBound / 4..<Self.limit * $0.upperBound / 4
    }
    #expect(
      dump.obstacles
        == frames.map {
          "the part of the split dump with frames \($0.lowerBound.hexadecimal) to "
            + "\(($0.upperBound - 1).hexadecimal) was not given; its pages are missing"
        })
    #expect(dump.memory.memoryFrames == Self.image.memory)
    for frame in Self.image.frameSample {
      var expected = expectation(Self.image, frame)
      if expected.absence == nil, frames.contains(where: { $0.contains(frame) }) {
        expected = .absent(
          .unsupported("in a part of the split dump that was not given"),
          at: PhysicalAddress(frame << 12))
      }
      #expect(Observation(dump.memory, frame) == expected, "frame \(frame)")
      #expect(dump.memory.absence(frame) == expected.absence, "frame \(frame)")
    }
  }

  @Test("obstacles of a part carry its name")
  func cutPart() throws {
    let parts = KdumpBuilder(Self.image).buildSplit(2)
    let dump = try DumpFile.open(contents: [
      ("first", parts[0]), ("second", Array(parts[1].dropLast(700))),
    ])
    #expect(dump.obstacles.count == 1)
    #expect(dump.obstacles.first?.hasPrefix("second: the file ends at") == true)
  }

  @Test("frames of a part beyond 2³² need the 64-bit fields")
  func wideFrames() throws {
    // The bitmap of a part may end before its range does: its frames are then not in the file.
    let bytes = KdumpBuilder(Self.image).build(split: 0x1_0000_0000..<0x1_0000_0010)
    let dump = try DumpFile.open(bytes)
    #expect(dump.memory.absence(0x1_0000_0001) == .notInDump)
    #expect(dump.obstacles.count == 1)
  }
}
