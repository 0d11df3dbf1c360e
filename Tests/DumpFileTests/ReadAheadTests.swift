// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Memory
import Testing

/// Pages that are made ready before they are asked for are no other pages, and cost no more.
struct ReadAheadTests {
  /// Every page of a dump, and where the run had to stop.
  private func reading(
    _ bytes: [UInt8], pages: Int?, ahead: Bool
  ) throws -> (found: [Observation], left: Int, cuts: [Cut]) {
    let dump = try DumpFile.open(bytes)
    let work = pages.map { WorkBudget(WorkLimits(pages: $0)) } ?? WorkBudget()
    dump.charge(work)
    let frames = dump.memory.memoryFrames.flatMap { Array($0) }
    var found: [Observation] = []
    var next = 0
    while next < frames.count {
      let group = Array(frames[next..<min(next + 200, frames.count)])
      if ahead { dump.memory.willRead(group) }
      found += group.map { Observation(dump.memory, $0) }
      // Some are asked for again, when others have taken their place.
      found += group.prefix(7).map { Observation(dump.memory, $0) }
      next += 200
    }
    return (found, work.left(.pages), work.cuts)
  }

  @Test(arguments: Compressor.available, [nil, 0, 1, 150, 333] as [Int?])
  func changesNothing(_ codec: Compressor, _ pages: Int?) throws {
    let image = MemoryImage.random(seed: 5, frames: 450)
    var bytes = KdumpBuilder(image, codec: codec).build()
    let sound = try reading(bytes, pages: pages, ahead: false)
    let ahead = try reading(bytes, pages: pages, ahead: true)
    #expect(ahead.found == sound.found)
    #expect(ahead.left == sound.left)
    #expect(ahead.cuts == sound.cuts)
    // Damage, in compressed pages and in what says where they are.
    for place in stride(from: bytes.count / 3, to: bytes.count, by: 997) { bytes[place] ^= 0x5a }
    let damaged = try reading(bytes, pages: pages, ahead: false)
    let damagedAhead = try reading(bytes, pages: pages, ahead: true)
    #expect(damagedAhead.found == damaged.found)
    #expect(damagedAhead.left == damaged.left)
    #expect(damagedAhead.cuts == damaged.cuts)
  }

  @Test(arguments: Compressor.available)
  func `what several threads read is what one reads`(_ codec: Compressor) throws {
    let image = MemoryImage.random(seed: 6, frames: 450)
    var bytes = KdumpBuilder(image, codec: codec).build()
    // Pages of many different bytes are stored as they are, and so is the page of zeros.
    let packed = image.frames.filter { frame in
      !image.excluded.contains(frame) && image.pages[frame].map { Set($0).count < 200 } ?? false
    }
    for isDamaged in [false, true] {
      if isDamaged {
        for place in stride(from: bytes.count / 3, to: bytes.count, by: 997) {
          bytes[place] ^= 0x5a
        }
      }
      let dump = try DumpFile.open(bytes)
      let work = WorkBudget(WorkLimits(pages: 1000))
      dump.charge(work)
      #expect(dump.memory.isReadConcurrently)
      #expect(dump.memory.concurrentReader(pages: 1001) == nil)
      let reader = try #require(dump.memory.concurrentReader(pages: 1000))
      let memory = reader.memory
      let frames = (dump.memory.memoryFrames + dump.memory.memoryFrames).flatMap { Array($0) }
      let read = Workers.map(frames.count, threads: 3) { Observation(memory, frames[$0]) }
      // It pays for each page once, and only when it is told to.
      #expect(work.left(.pages) == 1000)
      reader.settle()
      if !isDamaged {
        #expect(work.left(.pages) == (codec == .none ? 1000 : 1000 - packed.count))
      }
      #expect(read == frames.map { Observation(dump.memory, $0) })
    }
  }
}
