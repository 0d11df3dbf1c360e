// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Memory
import MemoryFixtures
import Testing

/// One memory image in every format gives one memory.
@Suite("One image, every format") struct AgreementTests {
  struct Format: CustomTestStringConvertible {
    var testDescription: String
    var format: DumpFormat
    var excluded: Absence = .excluded
    var files: @Sendable (MemoryImage) -> [[UInt8]]

    init(
      _ name: String, _ format: DumpFormat, excluded: Absence = .excluded,
      files: @escaping @Sendable (MemoryImage) -> [[UInt8]]
    ) {
      testDescription = name
      self.format = format
      self.excluded = excluded
      self.files = files
    }
  }

  static let formats: [Format] =
    [
      Format("ELF", .elf, excluded: .zeroOrExcluded) { [ELFDumpBuilder($0).build()] },
      Format("ELF in QEMU's layout", .elf, excluded: .zeroOrExcluded) {
        var builder = ELFDumpBuilder($0)
        builder.layout = .qemu
        return [builder.build()]
      },
      Format("ELF with its count in section 0", .elf, excluded: .zeroOrExcluded) {
        var builder = ELFDumpBuilder($0)
        builder.hasExtendedCount = true
        return [builder.build()]
      },
      Format("ELF at odd offsets", .elf, excluded: .zeroOrExcluded) {
        var builder = ELFDumpBuilder($0)
        builder.alignment = 1
        builder.misalignment = 3
        return [builder.build()]
      },
      Format("ELF with its segments in descending order", .elf, excluded: .zeroOrExcluded) {
        var builder = ELFDumpBuilder($0)
        builder.segments.reverse()
        return [builder.build()]
      },
      Format("flattened ELF", .flattenedELF, excluded: .zeroOrExcluded) {
        [flatten(ELFDumpBuilder($0).build(), seed: 7)]
      },
    ]
    + Compressor.available.flatMap { codec in
      [
        Format("kdump, \(codec)", .kdump) { [KdumpBuilder($0, codec: codec).build()] },
        Format("flattened kdump, \(codec)", .flattenedKdump) {
          [flatten(KdumpBuilder($0, codec: codec).build(), seed: 8)]
        },
        Format("kdump in 3 parts, \(codec)", .splitKdump) {
          KdumpBuilder($0, codec: codec).buildSplit(3).reversed()
        },
      ]
    }
    + (1...6 as ClosedRange<Int32>).map { version in
      Format("kdump, version \(version)", .kdump) {
        var builder = KdumpBuilder($0)
        builder.version = version
        return [builder.build()]
      }
    }
    + (2...6 as ClosedRange<Int32>).map { version in
      Format("kdump in 2 parts, version \(version)", .splitKdump) {
        var builder = KdumpBuilder($0)
        builder.version = version
        return builder.buildSplit(2)
      }
    }
    + [
      Format("diskdump", .kdump) {
        var builder = KdumpBuilder($0)
        builder.signature = "DISKDUMP"
        builder.version = 1
        return [builder.build()]
      },
      Format("kdump, zeros not shared", .kdump) {
        var builder = KdumpBuilder($0)
        builder.sharesZeroPage = false
        return [builder.build()]
      },
      Format("flattened parts", .splitKdump) {
        KdumpBuilder($0).buildSplit(3).map { flatten($0, seed: 9) }
      },
    ]

  @Test("pages, absences and memory are the image's", arguments: formats)
  func agrees(_ format: Format) throws {
    for seed in 1...2 as ClosedRange<UInt64> {
      let image = MemoryImage.random(seed: seed)
      let dump = try DumpFile.open(
        contents: format.files(image).enumerated().map { ("part \($0)", $1) })
      #expect(dump.format == format.format)
      #expect(dump.obstacles == [])
      #expect(dump.memory.memoryFrames == image.memory, "seed \(seed)")
      for frame in image.frameSample {
        let expected = expectation(image, frame, excludedAs: format.excluded)
        let found = Observation(dump.memory, frame)
        #expect(found == expected, "seed \(seed), frame \(frame)")
        #expect(dump.memory.absence(frame) == expected.absence, "seed \(seed), frame \(frame)")
      }
      let stored = Set(image.frames).subtracting(image.excluded)
      #expect(Set(dump.storedFrames.flatMap(Array.init)) == stored)
    }
  }

  @Test("a memory larger than one bitmap block and one block of counts")
  func largeBitmap() throws {
    var image = MemoryImage(memory: [5..<300, 4090..<4200, 32_760..<33_000, 70_000..<70_001])
    for frame in image.frames where frame % 3 != 0 { image.excluded.insert(frame) }
    for frame in image.frames { image.pages[frame] = page(UInt8(truncatingIfNeeded: frame)) }
    let dump = try DumpFile.open(KdumpBuilder(image).build())
    #expect(dump.memory.memoryFrames == image.memory)
    for frame in 0..<70_010 as Range<UInt64> {
      let expected = expectation(image, frame)
      guard dump.memory.absence(frame) == expected.absence,
        expected.absence != nil || Observation(dump.memory, frame) == expected
      else {
        Issue.record("frame \(frame)")
        return
      }
    }
  }

  @Test("many threads read one compressed dump")
  func threads() async throws {
    let image = MemoryImage.random(seed: 11, frames: 600)
    let dump = try DumpFile.open(KdumpBuilder(image).build())
    let isRight = await withTaskGroup(of: Bool.self) { group in
      for seed in 0..<8 as Range<UInt64> {
        group.addTask {
          var generator = SeededGenerator(seed: seed)
          return image.frames.shuffled(using: &generator).allSatisfy {
            Observation(dump.memory, $0) == expectation(image, $0)
          }
        }
      }
      return await group.allSatisfy { $0 }
    }
    #expect(isRight)
  }
}
