// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// A page with the shape of a root table.
struct RootCandidate: Hashable, Sendable {
  /// Words that point into memory.
  var present: Int
  var frame: UInt64
}

extension RootCarver {
  /// Pages that one thread looks at before it takes others; 2^13 are 32 MiB.
  private static let pagesOfPiece: UInt64 = 1 << 13

  /// The pages that have the shape of a root, in the order of `frames`.
  ///
  /// Where several threads may read at once, all processors do; the candidates are taken in order all the
  /// same, so that a budget ends the search at the same page.
  func candidates(
    in frames: some Sequence<Range<UInt64>>, progress: (UInt64) -> Void
  ) -> [RootCandidate] {
    let threads = memory.isReadConcurrently ? Workers.count : 1
    var candidates: [RootCandidate] = []
    var seen: UInt64 = 0
    var scan = PageScan(work, "the search for root tables")
    guard threads > 1 else {
      for frame in frames.joined() {
        guard scan.next() else { break }
        seen &+= 1
        if seen & 0xffff == 0 { progress(seen) }
        guard let candidate = Self.candidate(frame, memory, shape) else { continue }
        guard take(candidate) else { break }
        candidates.append(candidate)
      }
      return candidates
    }
    var pieces: [Range<UInt64>] = []
    /// Whether to go on.
    func searchPieces() -> Bool {
      let (memory, shape, wave) = (memory, shape, pieces)
      pieces = []
      let reader = memory.concurrentReader(pages: wave.reduce(0) { $0 + $1.count })
      let found = Workers.map(wave.count, threads: reader == nil ? 1 : threads) { number in
        let memory = reader?.memory ?? memory
        let found = wave[number].compactMap { Self.candidate($0, memory, shape) }
        memory.relax(wave[number])
        return found
      }
      reader?.settle()
      for candidate in found.joined() {
        guard take(candidate) else { return false }
        candidates.append(candidate)
      }
      progress(seen)
      return true
    }
    search: for range in frames {
      var start = range.lowerBound
      while start < range.upperBound {
        let wanted = Int(min(range.upperBound - start, Self.pagesOfPiece))
        let end = start + UInt64(scan.next(upTo: wanted))
        guard end > start else { break search }
        pieces.append(start..<end)
        seen &+= end - start
        start = end
        if pieces.count >= 8 * threads, !searchPieces() { return candidates }
      }
    }
    _ = searchPieces()
    return candidates
  }

  private static func candidate(
    _ frame: UInt64, _ memory: any PhysicalMemory, _ shape: RootShape
  ) -> RootCandidate? {
    guard let page = try? memory.page(frame), let present = shape.pointers(page) else { return nil }
    return RootCandidate(present: present, frame: frame)
  }

  /// Pays for a candidate; `false` where the run has nothing left.
  private func take(_ candidate: RootCandidate) -> Bool {
    if work.spend(.runs) { return true }
    work.cut(
      .runs,
      "the search for root tables at page \(PhysicalAddress(candidate.frame << 12))")
    return false
  }
}
