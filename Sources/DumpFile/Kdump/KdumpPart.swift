// SPDX-License-Identifier: Apache-2.0

import Memory

/// One file of a kdump-compressed dump: its bitmaps, its page descriptors and the way to the bytes.
struct KdumpPart: Sendable {
  /// Bytes of a page descriptor.
  ///
  ///      0  offset      8, of the page's data in the dump
  ///      8  size        4
  ///     12  flags       4, the codec
  ///     16  page_flags  8, not used
  ///
  /// Source: makedumpfile, `diskdump_mod.h`, `struct page_desc`.
  private static let descriptorSize: UInt64 = 24
  /// A page that does not shrink is stored as it is, so compressed pages are shorter than a page;
  /// twice that is more than any codec makes of one.
  private static let sizeLimit: UInt32 = 2 * 4096

  let bytes: DumpBytes
  let header: KdumpHeader
  /// The frames whose pages this file stores, as far as they are in the dump.
  let frames: Range<UInt64>
  /// Frames that are memory.
  let memory: FrameBitmap
  /// Frames that are in the dump.
  let dumped: FrameBitmap
  private let counts: [UInt64]
  /// The rank of the first frame of this file, whose descriptor comes first.
  private let firstRank: UInt64
  /// Where the page descriptors start, how many they are, and where the page data start behind them.
  private let descriptors: UInt64
  private let total: UInt64
  private let dataStart: UInt64

  init(_ bytes: DumpBytes, _ header: KdumpHeader) {
    self.bytes = bytes
    self.header = header
    let length = header.identity.bitmapBlocks * KdumpHeader.blockSize
    let limit = header.identity.frameLimit
    descriptors = header.bitmapOffset + length
    // diskdump could write a whole dump with one bitmap; two bitmaps are recognised by their size.
    let isPaired = limit <= length / 2 * 8
    let half = isPaired ? length / 2 : 0
    let frameCount = min(limit, (length - half) * 8)
    memory = FrameBitmap(bytes, at: header.bitmapOffset, frameCount: frameCount)
    dumped = FrameBitmap(bytes, at: header.bitmapOffset + half, frameCount: frameCount)
    counts = dumped.cumulativeCounts()
    let split = header.splitFrames ?? 0..<limit
    frames = min(split.lowerBound, limit)..<min(split.upperBound, limit)
    firstRank = dumped.rank(frames.lowerBound, counts)
    total = dumped.rank(frames.upperBound, counts) &- firstRank
    dataStart = descriptors &+ total &* Self.descriptorSize
  }

  /// Where one page's bytes are and how they are stored.
  struct Descriptor: Hashable, Sendable {
    var offset: UInt64
    var size: UInt32
    var flags: UInt32
  }

  /// The descriptor of `frame`, whose bit in `dumped` is set.
  ///
  /// - Returns: the descriptor with its place checked, or why the page cannot be had.
  func descriptor(_ frame: UInt64) -> Result<Descriptor, Unreadable> {
    // A rank is below 2⁶³ and so is the table's start, but their combination may come close.
    let rank = dumped.rank(frame, counts) &- firstRank
    let (distance, overflow) = rank.multipliedReportingOverflow(by: Self.descriptorSize)
    let (place, secondOverflow) = descriptors.addingReportingOverflow(distance)
    guard !overflow, !secondOverflow,
      let offset: UInt64 = try? bytes.littleEndian(at: place),
      let size: UInt32 = try? bytes.littleEndian(at: place &+ 8),
      let flags: UInt32 = try? bytes.littleEndian(at: place &+ 12)
    else {
      return .failure(Unreadable(.truncated(fileOffset: place)))
    }
    // makedumpfile leaves descriptors zero for the pages that had no space any more.
    if offset == 0, size == 0 { return .failure(Unreadable(.truncated(fileOffset: bytes.count))) }
    guard size > 0, size <= Self.sizeLimit else {
      return .failure(
        Unreadable(
          .corrupt(
            fileOffset: place, "page descriptor says \(size) bytes, expected at most \(Page.size)")
        ))
    }
    guard offset >= descriptors, offset <= UInt64(Int64.max) else {
      return .failure(
        Unreadable(
          .corrupt(
            fileOffset: place,
            "page descriptor points to \(offset.hexadecimal), page data start behind "
              + descriptors.hexadecimal)))
    }
    guard bytes.missing(at: offset, length: UInt64(size)) == nil else {
      return .failure(Unreadable(.truncated(fileOffset: offset)))
    }
    return .success(Descriptor(offset: offset, size: size, flags: flags))
  }

  /// Whether a page is stored as it is in front of all page data, where the writers of the format put
  /// the page that all pages of zeros share.
  ///
  /// Source: makedumpfile, `makedumpfile.c`, `write_kdump_pages_cyclic`; QEMU, `dump/dump.c`,
  /// `write_dump_pages` (`pd_zero` in both).
  func isFirst(_ descriptor: Descriptor) -> Bool {
    descriptor.flags == 0 && descriptor.offset == dataStart
  }

  /// Whether more than one descriptor has that page. The first 1,048,576 are asked: a dump that keeps
  /// pages of zeros has several among so many.
  var sharesFirst: Bool {
    var count = 0
    for index in 0..<min(total, 1 << 20) {
      guard
        let offset: UInt64 = try? bytes.littleEndian(at: descriptors &+ index * Self.descriptorSize)
      else { return false }
      if offset == dataStart { count += 1 }
      if count == 2 { return true }
    }
    return false
  }

  /// An absence that can stand in a `Result`.
  struct Unreadable: Error, Hashable, Sendable {
    var absence: Absence
    init(_ absence: Absence) { self.absence = absence }
  }

  /// What is wrong with the file, in sentences.
  var obstacles: [String] {
    var result: [String] = []
    if let obstacle = bytes.obstacle { result.append(obstacle) }
    if header.isIncomplete {
      result.append("makedumpfile marked the dump as incomplete: it ran out of space")
    }
    let limit = header.identity.frameLimit
    if dumped.frameCount < limit {
      result.append(
        "the bitmap of dumped pages covers \(dumped.frameCount) of \(limit) frames; "
          + "the file is cut or its header is damaged")
    }
    // A dump is written front to back, so the last descriptors tell whether its end is missing;
    // several are asked, because the last page may be the shared page of zeros.
    if total > 0,
      bytes.missing(at: dataStart &- Self.descriptorSize, length: Self.descriptorSize) != nil
    {
      result.append(
        "the file ends inside its table of \(total) page descriptors; many pages are missing")
    } else {
      var dataEnd: UInt64 = 0
      for index in 1...1024 as ClosedRange<UInt64> where index <= total {
        let place = dataStart &- index * Self.descriptorSize
        guard let offset: UInt64 = try? bytes.littleEndian(at: place),
          let size: UInt32 = try? bytes.littleEndian(at: place &+ 8), size <= Self.sizeLimit
        else { break }
        dataEnd = max(dataEnd, offset.addingReportingOverflow(UInt64(size)).partialValue)
      }
      if dataEnd > bytes.count {
        result.append(
          "the file ends at \(bytes.count.hexadecimal), its page data at \(dataEnd.hexadecimal); "
            + "pages are missing")
      }
    }
    return result
  }
}
