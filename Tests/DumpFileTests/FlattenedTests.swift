// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Memory
import MemoryFixtures
import Testing

/// Streams that are read without being rearranged.
@Suite("Flattened streams") struct FlattenedTests {
  static let image = MemoryImage.random(seed: 41)

  @Test("records in any order, some overwritten", arguments: 1...12 as ClosedRange<UInt64>)
  func anyOrder(seed: UInt64) throws {
    for dump in [ELFDumpBuilder(Self.image).build(), KdumpBuilder(Self.image).build()] {
      let plain = try DumpFile.open(dump)
      let stream = try DumpFile.open(flatten(dump, seed: seed))
      #expect(
        stream.memory.observe(Self.image.frameSample)
          == plain.memory.observe(Self.image.frameSample), "seed \(seed)")
      #expect(stream.obstacles == [])
    }
  }

  @Test("a stream cut anywhere gives the whole dump's pages or none")
  func cut() throws {
    for dump in [ELFDumpBuilder(Self.image).build(), KdumpBuilder(Self.image).build()] {
      let plain = try DumpFile.open(dump).memory.observe(Self.image.frames)
      let records = stride(from: 0, to: dump.count, by: 5000).map {
        FlattenedRecord(UInt64($0), Array(dump[$0..<min($0 + 5000, dump.count)]))
      }
      let stream = flatten(records)
      var opened = 0
      for count in stride(from: 5000, to: stream.count, by: 3001) {
        guard let cut = try? DumpFile.open(Array(stream.prefix(count))) else { continue }
        opened += 1
        #expect(cut.obstacles.first?.contains("ends early") == true)
        for frame in Self.image.frames {
          let found = Observation(cut.memory, frame)
          if case .absent(.truncated, _) = found {
          } else {
            #expect(found == plain[frame], "\(count) bytes, frame \(frame)")
          }
          #expect(cut.memory.absence(frame) == found.absence)
        }
      }
      #expect(opened > 10)
    }
  }

  @Test("a stream that ends early does not take missing records for zeros")
  func missingRecord() throws {
    let dump = KdumpBuilder(Self.image, codec: .none).build()
    var records = stride(from: 0, to: dump.count, by: 512).map {
      FlattenedRecord(UInt64($0), Array(dump[$0..<min($0 + 512, dump.count)]))
    }
    let lost = records.remove(at: records.count - 9)
    let cut = try DumpFile.open(flatten(records, isComplete: false))
    let whole = try DumpFile.open(dump)
    let hit = Self.image.frames.filter { frame in
      if case .truncated = Observation(cut.memory, frame).absence { return true }
      #expect(Observation(cut.memory, frame) == Observation(whole.memory, frame))
      return false
    }
    #expect((1...2).contains(hit.count), "record at \(lost.offset)")
  }

  @Test("a damaged record header ends the stream there")
  func damagedRecord() throws {
    let dump = KdumpBuilder(Self.image).build()
    let good = [FlattenedRecord(0, dump)]
    for (offset, length) in [(UInt64.max - 1, 5), (1 << 63, 5), (3, UInt64.max), (3, 0)] {
      var stream = ByteWriter()
      stream.append(flatten(good, isComplete: false))
      stream.append(offset.byteSwapped)
      stream.append(UInt64(length).byteSwapped)
      stream.append([1, 2, 3, 4, 5])
      let opened = try DumpFile.open(stream.bytes)
      #expect(opened.obstacles.first?.contains("is damaged") == true)
      #expect(
        opened.memory.observe(Self.image.frames)
          == (try DumpFile.open(dump)).memory.observe(Self.image.frames))
    }
  }

  @Test("a record at the end of the number space makes nothing large")
  func farRecord() throws {
    let dump = KdumpBuilder(Self.image).build()
    var header = ByteWriter()
    header.append(dump)
    header.store(UInt32.max, at: 436)
    header.store(UInt64.max, at: 4096 + 96)
    for bytes in [dump, header.bytes] {
      let stream = flatten([
        FlattenedRecord(0, bytes), FlattenedRecord(UInt64(Int64.max) - 8, [1, 2, 3]),
      ])
      let opened = try DumpFile.open(stream)
      #expect(opened.memory.memoryFrames.count < 8 * stream.count)
    }
  }
}
