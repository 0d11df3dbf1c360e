// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
internal import ELF
import Memory

/// Physical memory as the `PT_LOAD` segments of an ELF core describe it.
///
/// A byte comes from the first segment in file order that stores it. A page is assembled from
/// several segments only if they cover it entirely. The headers alone decide which segment that is,
/// so a dump that was cut gives the answers of the whole dump or none.
final class ELFMemory: PhysicalMemory, StoredRuns {
  /// x86_64 has at most 52 bits of physical address.
  private static let physicalLimit: UInt64 = 1 << 52
  /// Kernel addresses are in the upper half; QEMU writes 0 or the physical address instead.
  private static let kernelHalf: UInt64 = 1 << 63

  private let bytes: DumpBytes
  /// From physical addresses to dump offsets.
  private let stored: ExtentMap
  /// Physical addresses that some segment describes, stored or not; ascending, disjoint.
  private let described: [Range<UInt64>]
  let memoryFrames: [Range<UInt64>]
  let virtualSegments: [VirtualSegment]
  /// What is wrong with the segments, in sentences.
  let obstacles: [String]
  var isFreeToRead: Bool { true }

  convenience init(_ headers: CoreHeaders, _ bytes: DumpBytes) {
    self.init(headers.xen?.segments ?? headers.segments, bytes)
  }

  /// The `PT_LOAD` segments of any file that has, or is told to have, such.
  init(_ segments: [ELFSegment], _ bytes: DumpBytes) {
    self.bytes = bytes
    var stored: [Extent] = []
    var described: [Range<UInt64>] = []
    var virtual: [VirtualSegment] = []
    var dropped = Tally("has no usable physical range and is left out")
    var oversized = Tally("stores more bytes than it has memory; all that are stored are used")
    var cut = Tally("reaches beyond the end of the file")

    for (index, segment) in segments.enumerated() where segment.type == ELFSegment.Kind.load {
      let size = max(segment.memorySize, segment.fileSize)
      guard size > 0 else { continue }
      // /proc/kcore has segments of memory without one physical place, such as vmalloc's.
      guard segment.physical != .max || segment.virtual < Self.kernelHalf else { continue }
      let (end, overflow) = segment.physical.addingReportingOverflow(size)
      guard !overflow, end <= Self.physicalLimit else {
        dropped.add(index)
        continue
      }
      if segment.fileSize > segment.memorySize { oversized.add(index) }
      if segment.virtual >= Self.kernelHalf {
        virtual.append(
          VirtualSegment(
            virtual: KernelAddress(segment.virtual), physical: PhysicalAddress(segment.physical),
            byteCount: size))
      }
      described.append(segment.physical..<end)
      guard segment.fileSize > 0 else { continue }
      let (offsetEnd, offsetOverflow) = segment.offset.addingReportingOverflow(segment.fileSize)
      if offsetOverflow || offsetEnd > bytes.count { cut.add(index) }
      guard !offsetOverflow else { continue }
      stored.append(
        Extent(
          start: segment.physical, end: segment.physical + segment.fileSize,
          target: segment.offset))
    }
    self.stored = ExtentMap(stored, winner: .first)
    self.described = Self.union(described)
    memoryFrames = Self.union(
      self.described.map { $0.lowerBound >> 12..<($0.upperBound + 0xfff) >> 12 })
    virtualSegments = virtual
    obstacles = [dropped, oversized, cut].compactMap(\.sentence)
  }

  /// The union of ranges, ascending and disjoint; ranges that touch become one.
  static func union(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = result.last, range.lowerBound <= last.upperBound {
        result[result.count - 1] =
          last.lowerBound..<Swift.max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    return result
  }

  /// Frames with at least one byte in the file.
  func storedRun(from frame: UInt64) -> Range<UInt64>? {
    guard frame < Self.physicalLimit >> 12 else { return nil }
    var result: Range<UInt64>?
    for extent in stored.extents[stored.index(endingAfter: frame << 12)...] {
      guard extent.target < bytes.count else { continue }
      let end = extent.start + min(extent.end - extent.start, bytes.count - extent.target)
      // A cut segment may end before `frame`.
      guard (end + 0xfff) >> 12 > frame else { continue }
      let run = max(extent.start >> 12, frame)..<(end + 0xfff) >> 12
      guard let known = result else {
        result = run
        continue
      }
      guard run.lowerBound <= known.upperBound else { break }
      result = known.lowerBound..<max(known.upperBound, run.upperBound)
    }
    return result
  }

  func page(_ frame: UInt64) throws(MemoryError) -> Page {
    switch locate(frame) {
    case .whole(let offset):
      do {
        return try bytes.page(at: offset)
      } catch {
        throw MemoryError(at: PhysicalAddress(frame << 12), error.absence)
      }
    case .parts(let parts):
      return try assemble(parts, frame)
    case .absent(let error):
      throw error
    }
  }

  func absence(_ frame: UInt64) -> Absence? {
    switch locate(frame) {
    case .whole(let offset):
      bytes.missing(at: offset, length: UInt64(Page.size)) == nil
        ? nil : .truncated(fileOffset: offset)
    case .parts(let parts):
      parts.lazy.compactMap { part in
        self.bytes.missing(at: part.target, length: part.end - part.start) == nil
          ? nil : Absence.truncated(fileOffset: part.target)
      }.first
    case .absent(let error):
      error.absence
    }
  }

  func part(_ frame: UInt64) -> PagePart? {
    guard frame < Self.physicalLimit >> 12 else { return nil }
    let start = frame << 12
    let end = start + UInt64(Page.size)
    var result = [UInt8](repeating: 0, count: Page.size)
    var ranges: [Range<Int>] = []
    for extent in stored.extents[stored.index(endingAfter: start)...] {
      guard extent.start < end else { break }
      let from = max(extent.start, start)
      let to = min(extent.end, end)
      guard from < to,
        // At most a page long.
        let piece = try? bytes.copy(at: extent.target(of: from), length: Int(to - from))
      else { continue }
      let range = Int(from - start)..<Int(to - start)
      result.replaceSubrange(range, with: piece)
      if let last = ranges.last, last.upperBound == range.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
      } else {
        ranges.append(range)
      }
    }
    return ranges.isEmpty ? nil : PagePart(page: Page(result), ranges: ranges)
  }

  func relax(_ frames: Range<UInt64>) {
    let frames = frames.clamped(to: 0..<Self.physicalLimit >> 12)
    let (start, end) = (frames.lowerBound << 12, frames.upperBound << 12)
    for extent in stored.extents[stored.index(endingAfter: start)...] {
      guard extent.start < end else { break }
      let first = max(extent.start, start)
      bytes.relax(at: extent.target(of: first), length: min(extent.end, end) - first)
    }
  }

  /// Where the bytes of a page are.
  private enum Location {
    /// At one offset of the dump.
    case whole(offset: UInt64)
    /// In several segments, which cover the page without a gap; cut to the page, in order.
    case parts([Extent])
    case absent(MemoryError)
  }

  private func locate(_ frame: UInt64) -> Location {
    guard frame < Self.physicalLimit >> 12 else {
      return .absent(MemoryError(at: PhysicalAddress(frame: frame), .notInDump))
    }
    let start = frame << 12
    let end = start + UInt64(Page.size)
    var index = stored.index(endingAfter: start)
    var position = start
    var parts: [Extent] = []
    while index < stored.extents.count, position < end {
      let extent = stored.extents[index]
      guard extent.start <= position else { break }
      if extent.start <= start, extent.end >= end {
        return .whole(offset: extent.target(of: start))
      }
      let partEnd = min(extent.end, end)
      parts.append(Extent(start: position, end: partEnd, target: extent.target(of: position)))
      position = partEnd
      index += 1
    }
    guard position < end else { return .parts(parts) }
    let absence: Absence = isDescribed(position) ? .zeroOrExcluded : .notInDump
    return .absent(MemoryError(at: PhysicalAddress(position), absence))
  }

  private func isDescribed(_ address: UInt64) -> Bool {
    let index = described.partitioningIndex { $0.upperBound > address }
    return index < described.count && described[index].lowerBound <= address
  }

  private func assemble(_ parts: [Extent], _ frame: UInt64) throws(MemoryError) -> Page {
    var result: [UInt8] = []
    result.reserveCapacity(Page.size)
    for part in parts {
      do {
        // A part is at most a page long.
        result += try bytes.copy(at: part.target, length: Int(part.end - part.start))
      } catch {
        throw MemoryError(at: PhysicalAddress(part.start), error.absence)
      }
    }
    return Page(result)
  }
}

/// Counts segments with one fault, so that a report holds one sentence and not a million.
private struct Tally {
  private let fault: String
  private var count = 0
  private var first = 0

  init(_ fault: String) { self.fault = fault }

  mutating func add(_ index: Int) {
    if count == 0 { first = index }
    count += 1
  }

  var sentence: String? {
    switch count {
    case 0: nil
    case 1: "program header \(first) \(fault)"
    default: "program header \(first) \(fault) (\(count) program headers in all)"
    }
  }
}
