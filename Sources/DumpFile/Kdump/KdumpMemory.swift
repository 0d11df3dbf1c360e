// SPDX-License-Identifier: Apache-2.0

import Memory
import Synchronization

/// Physical memory as a kdump-compressed dump stores it, in one file or in several.
final class KdumpMemory: PhysicalMemory, StoredRuns {
  /// Real machines have a few dozen ranges of memory; a bitmap with more than this is damaged.
  private static let rangeLimit = 1 << 20

  /// By frames, ascending and disjoint.
  private let parts: [KdumpPart]
  private let cache = PageCache()
  private let ranges = Mutex<[Range<UInt64>]?>(nil)
  private let work = Mutex<WorkBudget?>(nil)
  private let ahead = PagesAhead()
  /// Whether the first page of a part's data is the one that all pages of zeros share, once it matters.
  private let sharedZeros = Mutex<[Int: Bool]>([:])

  /// - Parameter parts: ascending and disjoint by their frames, at least one.
  init(_ parts: [KdumpPart]) {
    self.parts = parts
  }

  /// Lets a run pay for the pages that are decompressed from now on.
  func charge(_ work: WorkBudget) { self.work.withLock { $0 = work } }

  /// Runs of the first bitmap; at most 1,048,576, a damaged bitmap's further ones are left out.
  var memoryFrames: [Range<UInt64>] {
    ranges.withLock { cached in
      if let cached { return cached }
      let best = parts.map(\.memory).max { $0.frameCount < $1.frameCount }
      let runs = best?.runs(limit: Self.rangeLimit) ?? []
      cached = runs
      return runs
    }
  }

  /// Runs of the second bitmap, as far as the files at hand store them.
  func storedRun(from frame: UInt64) -> Range<UInt64>? {
    for part in parts where part.frames.upperBound > frame {
      guard let run = part.dumped.run(from: max(frame, part.frames.lowerBound)),
        run.lowerBound < part.frames.upperBound
      else { continue }
      return run.clamped(to: part.frames)
    }
    return nil
  }

  func page(_ frame: UInt64) throws(MemoryError) -> Page {
    switch try stored(frame) {
    case .plain(let page): return page
    case .packed(let stored):
      if let page = cache.page(stored.key) { return page }
      if let work = work.withLock({ $0 }), !work.spend(.pages) {
        work.cut(.pages, "the decompressing of pages")
        throw error(frame, .budget)
      }
      let page = try unpacked(stored, frame)
      cache.insert(page, stored.key)
      return page
    }
  }

  /// How a dump has a page.
  private enum Form {
    case plain(Page)
    case packed(PagesAhead.Stored)
  }

  private func stored(_ frame: UInt64) throws(MemoryError) -> Form {
    let index: Int
    let descriptor: KdumpPart.Descriptor
    switch find(frame) {
    case .failure(let unreadable): throw error(frame, unreadable.absence)
    case .success(let place): (index, descriptor) = place
    }
    let bytes = parts[index].bytes
    return try explained(frame, descriptor.offset) {
      let codec = try Codec(flags: descriptor.flags)
      guard codec == .none else {
        return .packed(
          PagesAhead.Stored(
            key: PageCache.Key(
              part: index, offset: descriptor.offset, size: descriptor.size,
              flags: descriptor.flags),
            codec: codec, bytes: bytes))
      }
      guard descriptor.size == UInt32(Page.size) else {
        throw Codec.Failure.corrupt(
          "page is stored as it is in \(descriptor.size) bytes, expected \(Page.size)")
      }
      let page = try bytes.page(at: descriptor.offset)
      // No codec and no checksum tells that a page that is stored as it is was damaged, but of one
      // page it is known what it held.
      guard !parts[index].isFirst(descriptor) || page.isZero || !sharesZeros(index) else {
        throw Codec.Failure.corrupt("the page that all pages of zeros share is not zero")
      }
      return .plain(page)
    }
  }

  /// Whether all pages of zeros share the first page of a part's data; each part is asked once.
  private func sharesZeros(_ index: Int) -> Bool {
    sharedZeros.withLock { known in
      if let isShared = known[index] { return isShared }
      let isShared = parts[index].sharesFirst
      known[index] = isShared
      return isShared
    }
  }

  private func unpacked(
    _ stored: PagesAhead.Stored, _ frame: UInt64
  ) throws(MemoryError) -> Page {
    try explained(frame, stored.key.offset) {
      try (ahead.take(stored.key) ?? Self.decompress(stored)).get()
    }
  }

  /// What a body returns; why it cannot, of a page that is stored at an offset.
  private func explained<Value>(
    _ frame: UInt64, _ offset: UInt64, _ body: () throws -> Value
  ) throws(MemoryError) -> Value {
    do {
      return try body()
    } catch let error as Truncation {
      throw self.error(frame, error.absence)
    } catch Codec.Failure.corrupt(let what) {
      throw error(frame, .corrupt(fileOffset: offset, what))
    } catch Codec.Failure.unsupported(let what) {
      throw error(frame, .unsupported(what))
    } catch {
      throw self.error(frame, .truncated(fileOffset: offset))
    }
  }

  private static func decompress(
    _ stored: PagesAhead.Stored
  ) throws -> Result<Page, Codec.Failure> {
    try stored.bytes.withBytes(at: stored.key.offset, length: Int(stored.key.size)) { span in
      do throws(Codec.Failure) {
        return .success(try stored.codec.decompress(span))
      } catch {
        return .failure(error)
      }
    }
  }

  var readsAhead: Bool { Workers.count > 1 }

  func willRead(_ frames: [UInt64]) {
    guard frames.count >= PagesAhead.least else { return }
    // No more than may be paid for when they are asked for.
    let limit = work.withLock { $0 }?.left(.pages) ?? .max
    var known: Set<PageCache.Key> = []
    var pages: [PagesAhead.Stored] = []
    for frame in frames.prefix(min(limit, PagesAhead.limit)) {
      guard case .success(let (index, descriptor)) = find(frame),
        let codec = try? Codec(flags: descriptor.flags), codec != .none
      else { continue }
      let key = PageCache.Key(
        part: index, offset: descriptor.offset, size: descriptor.size, flags: descriptor.flags)
      guard !cache.contains(key), known.insert(key).inserted else { continue }
      pages.append(PagesAhead.Stored(key: key, codec: codec, bytes: parts[index].bytes))
    }
    ahead.prepare(pages) { try? Self.decompress($0) }
  }

  var isReadConcurrently: Bool { true }

  func concurrentReader(pages: Int) -> ConcurrentReader? {
    let work = work.withLock { $0 }
    guard work.map({ $0.left(.pages) >= pages }) ?? true else { return nil }
    let reader = Reader(self)
    return ConcurrentReader(reader) { work?.spend(.pages, reader.count) }
  }

  /// Reads for several threads and notes what it costs, without a trace in what all others read from.
  private final class Reader: PhysicalMemory {
    private let memory: KdumpMemory
    private let cache = PageCache()
    private let keys = Mutex<Set<PageCache.Key>>([])

    init(_ memory: KdumpMemory) { self.memory = memory }

    /// Pages that were decompressed, each counted once.
    var count: Int { keys.withLock { $0.count } }

    var memoryFrames: [Range<UInt64>] { memory.memoryFrames }

    func absence(_ frame: UInt64) -> Absence? { memory.absence(frame) }

    func page(_ frame: UInt64) throws(MemoryError) -> Page {
      switch try memory.stored(frame) {
      case .plain(let page): return page
      case .packed(let stored):
        if let page = memory.cache.page(stored.key) ?? cache.page(stored.key) { return page }
        keys.withLock { _ = $0.insert(stored.key) }
        let page = try memory.unpacked(stored, frame)
        cache.insert(page, stored.key)
        return page
      }
    }
  }

  func absence(_ frame: UInt64) -> Absence? {
    switch find(frame) {
    case .failure(let unreadable): unreadable.absence
    case .success(let place):
      if let codec = try? Codec(flags: place.descriptor.flags) {
        codec.obstacle.map(Absence.unsupported)
      } else {
        nil
      }
    }
  }

  private func error(_ frame: UInt64, _ absence: Absence) -> MemoryError {
    MemoryError(at: PhysicalAddress(frame: frame), absence)
  }

  /// The part and the descriptor of a frame, or why there is none.
  private func find(
    _ frame: UInt64
  ) -> Result<(index: Int, descriptor: KdumpPart.Descriptor), KdumpPart.Unreadable> {
    guard let index = parts.firstIndex(where: { $0.frames.contains(frame) }) else {
      return .failure(.init(absenceWithoutPart(frame)))
    }
    let part = parts[index]
    guard frame < part.dumped.frameCount else {
      return .failure(.init(beyondBitmap(frame, part)))
    }
    guard part.dumped.contains(frame) else {
      guard frame < part.memory.frameCount else {
        return .failure(.init(.truncated(fileOffset: part.memory.byteOffset(of: frame))))
      }
      return .failure(.init(part.memory.contains(frame) ? .excluded : .notInDump))
    }
    return part.descriptor(frame).map { (index, $0) }
  }

  /// Why a frame below the limit has no bit in the second bitmap.
  private func beyondBitmap(_ frame: UInt64, _ part: KdumpPart) -> Absence {
    let hasRoom = frame / 8 < part.header.identity.bitmapBlocks * KdumpHeader.blockSize
    return hasRoom ? .truncated(fileOffset: part.dumped.byteOffset(of: frame)) : .notInDump
  }

  /// Why a frame belongs to none of the files: it is no memory, was left out, or is in another file.
  private func absenceWithoutPart(_ frame: UInt64) -> Absence {
    guard let part = parts.first, frame < part.header.identity.frameLimit,
      part.header.splitFrames != nil
    else { return .notInDump }
    if frame < part.dumped.frameCount, !part.dumped.contains(frame) {
      return frame < part.memory.frameCount && part.memory.contains(frame) ? .excluded : .notInDump
    }
    return .unsupported("in a part of the split dump that was not given")
  }
}
