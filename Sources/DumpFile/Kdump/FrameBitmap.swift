// SPDX-License-Identifier: Apache-2.0

import Memory

/// A bitmap of a kdump-compressed dump: one bit for each frame, lowest bit of the lowest byte first.
struct FrameBitmap: Sendable {
  /// Bytes between two stored counts: a rank costs one load and at most 8 counted words, and the
  /// counts take 1/8 of the bitmap.
  private static let blockSize: UInt64 = 64
  private static let framesPerBlock = blockSize * 8
  /// Frames whose bits are looked at together while they are counted.
  private static let framesPerChunk = framesPerBlock * 64

  private let bytes: DumpBytes
  private let offset: UInt64
  /// Frames that the bitmap speaks of, from 0 on; all their bits lie inside the dump.
  let frameCount: UInt64

  /// `frameCount` is what the headers say; it is cut to the bits that the dump holds.
  init(_ bytes: DumpBytes, at offset: UInt64, frameCount: UInt64) {
    self.bytes = bytes
    self.offset = offset
    var available = (frameCount / 8) + (frameCount % 8 == 0 ? 0 : 1)
    // A flattened dump may claim zeros without end; what is counted stays within the file's size.
    available = min(available, bytes.fileByteCount)
    if let missing = bytes.missing(at: offset, length: available) {
      available = missing > offset ? missing - offset : 0
    }
    // At most the file's size times 8: file sizes are below 2⁶³, mappings far below 2⁶⁰.
    self.frameCount = min(frameCount, available.multipliedReportingOverflow(by: 8).partialValue)
  }

  /// Whether the bit of `frame`, which must be below `frameCount`, is set.
  func contains(_ frame: UInt64) -> Bool {
    guard frame < frameCount,
      let byte: UInt8 = try? bytes.littleEndian(at: offset + frame / 8)
    else { return false }
    return byte & (1 << UInt8(frame % 8)) != 0
  }

  /// Offset in the dump of the byte that holds the bit of `frame`.
  func byteOffset(of frame: UInt64) -> UInt64 { offset &+ frame / 8 }

  /// For each block the number of set bits before it, and the number of all set bits at the end.
  func cumulativeCounts() -> [UInt64] {
    var counts: [UInt64] = [0]
    counts.reserveCapacity(Int(clamping: frameCount / Self.framesPerBlock + 2))
    var sum: UInt64 = 0
    var first: UInt64 = 0
    while first < frameCount {
      let end = min(first + Self.framesPerChunk, frameCount)
      // Whole blocks of the chunk, 4096 bytes at most.
      let blocks = Int((end - first) / Self.framesPerBlock)
      let length = blocks * Int(Self.blockSize)
      let isCounted: Void? = try? bytes.withBytes(at: offset + first / 8, length: length) { bytes in
        for block in 0..<blocks {
          for word in 0..<Int(Self.blockSize) / 8 {
            // The place is inside the span, whose length is a multiple of the block's.
            let place = block * Int(Self.blockSize) + word * 8
            let bits: UInt64 = (try? bytes.littleEndian(at: place)) ?? 0
            sum += UInt64(bits.nonzeroBitCount)
          }
          counts.append(sum)
        }
      }
      if isCounted == nil { counts += repeatElement(sum, count: blocks) }
      first += UInt64(blocks) * Self.framesPerBlock
      if first < end {
        sum += count(first..<end)
        counts.append(sum)
        first = end
      }
    }
    return counts
  }

  /// The number of set bits below `frame`; `counts` is the result of `cumulativeCounts()`.
  func rank(_ frame: UInt64, _ counts: [UInt64]) -> UInt64 {
    let frame = min(frame, frameCount)
    // The block index is at most frameCount / 512, one less than the count of `counts`.
    let block = frame / Self.framesPerBlock
    guard let index = Int(exactly: block), index < counts.count else { return counts.last ?? 0 }
    return counts[index] + count(block * Self.framesPerBlock..<frame)
  }

  /// The number of set bits of frames in one block.
  private func count(_ frames: Range<UInt64>) -> UInt64 {
    guard !frames.isEmpty else { return 0 }
    // A block has 64 bytes, and its frames start at a multiple of 512.
    let length = Int((frames.upperBound - frames.lowerBound + 7) / 8)
    let lastBits = frames.upperBound % 8
    let result = try? bytes.withBytes(at: offset + frames.lowerBound / 8, length: length) {
      bytes -> UInt64 in
      var sum = 0
      var position = 0
      // The loop bounds keep both loads inside the span, so none can fail.
      while position + 8 <= length - (lastBits == 0 ? 0 : 1) {
        sum += ((try? bytes.littleEndian(at: position, as: UInt64.self)) ?? 0).nonzeroBitCount
        position += 8
      }
      while position < length {
        var byte = (try? bytes.littleEndian(at: position, as: UInt8.self)) ?? 0
        if position == length - 1, lastBits != 0 { byte &= (1 << UInt8(lastBits)) - 1 }
        sum += byte.nonzeroBitCount
        position += 1
      }
      return UInt64(sum)
    }
    return result ?? 0
  }

  /// The first run of set bits that ends behind `frame`, cut to start there at the earliest.
  func run(from frame: UInt64) -> Range<UInt64>? {
    guard let start = first(isSet: true, from: frame) else { return nil }
    return start..<(first(isSet: false, from: start) ?? frameCount)
  }

  /// The runs of set bits, ascending and disjoint; at most `limit`, the rest is left out.
  func runs(limit: Int) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    var next: UInt64 = 0
    while result.count < limit, let run = run(from: next) {
      result.append(run)
      next = run.upperBound
    }
    return result
  }

  /// The first frame from `frame` on whose bit is as asked for.
  private func first(isSet: Bool, from frame: UInt64) -> UInt64? {
    var start = frame / 64 * 64
    while start < frameCount {
      var matches = isSet ? word(start) : ~word(start)
      if start < frame { matches &= .max << (frame - start) }
      if matches != 0 {
        let found = start + UInt64(matches.trailingZeroBitCount)
        return found < frameCount ? found : nil
      }
      start += 64
    }
    return nil
  }

  /// The bits of 64 frames from `first` on, a multiple of 64; bits beyond the dump are zero.
  private func word(_ first: UInt64) -> UInt64 {
    let place = offset + first / 8
    if let word: UInt64 = try? bytes.littleEndian(at: place) { return word }
    var word: UInt64 = 0
    for index in 0..<8 as Range<UInt64> {
      guard let byte: UInt8 = try? bytes.littleEndian(at: place + index) else { break }
      word |= UInt64(byte) << (8 * index)
    }
    return word
  }
}
