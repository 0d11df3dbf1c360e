// SPDX-License-Identifier: Apache-2.0

/// Pays for pages that are looked at one after another, in search of something.
///
/// A file of few bytes can claim any number of pages: holes of a sparse file are zeros, and any number of
/// an ELF file's segments may have the same bytes.
public struct PageScan: ~Copyable {
  private let work: WorkBudget
  private let detail: String
  /// Pages that are paid for and not looked at yet.
  private var paid = 0

  /// A page that has to be brought from the file and turns out to be nothing.
  static let entriesOfPage = 64
  private static let step = 1024
  /// Pages that are looked at before they are let go; 2^12 are 16 MiB.
  private static let pagesAtHand: UInt64 = 1 << 12

  /// - Parameter detail: what is being done, a noun, for the cut.
  public init(_ work: WorkBudget, _ detail: String) {
    self.work = work
    self.detail = detail
  }

  /// Pays for one more page.
  ///
  /// - Returns: whether it may be looked at; if not, the cut was said.
  public mutating func next() -> Bool { next(upTo: 1) == 1 }

  /// Pays for some more pages.
  ///
  /// - Returns: how many of them may be looked at; if not all, the cut was said.
  public mutating func next(upTo count: Int) -> Int {
    var granted = 0
    while granted < count {
      if paid == 0 {
        let pages = min(Self.step, work.left(.entries) / Self.entriesOfPage)
        guard pages > 0, work.spend(.entries, pages * Self.entriesOfPage) else {
          work.cut(.entries, detail)
          break
        }
        paid = pages
      }
      let share = min(paid, count - granted)
      paid -= share
      granted += share
    }
    return granted
  }

  /// Pays for the pages of some ranges one by one and looks at them, in order.
  ///
  /// - Parameters:
  ///   - memory: that may let go of pages once they were looked at.
  ///   - body: returns what was looked for, if it is in the page with that number.
  /// - Returns: what was found first; `nil` if nothing was, or a cut was said.
  public mutating func first<R>(
    in frames: some Sequence<Range<UInt64>>, of memory: any PhysicalMemory,
    _ body: (UInt64) -> R?
  ) -> R? {
    for range in frames {
      var start = range.lowerBound
      while start < range.upperBound {
        let piece = start..<start + min(range.upperBound - start, Self.pagesAtHand)
        defer { memory.relax(piece) }
        for frame in piece {
          guard next() else { return nil }
          if let found = body(frame) { return found }
        }
        start = piece.upperBound
      }
    }
    return nil
  }

  /// The same on all processors at once, where the memory may be read so; what is found and what the scan
  /// pays is the same.
  ///
  /// - Parameter body: is called for some pages behind the one that is found, too, each with the memory
  ///   to read from.
  public mutating func firstAtOnce<R: Sendable>(
    in frames: some Sequence<Range<UInt64>>, of memory: any PhysicalMemory,
    _ body: @escaping @Sendable (any PhysicalMemory, UInt64) -> R?
  ) -> R? {
    guard Workers.count > 1, memory.isReadConcurrently else {
      return first(in: frames, of: memory) { body(memory, $0) }
    }
    var pieces: [Range<UInt64>] = []
    for range in frames {
      var start = range.lowerBound
      while start < range.upperBound {
        let piece = start..<start + min(range.upperBound - start, Self.pagesAtHand)
        pieces.append(piece)
        start = piece.upperBound
        guard pieces.count >= 2 * Workers.count else { continue }
        if let found = first(of: pieces, memory, body) { return found }
        pieces = []
      }
    }
    return first(of: pieces, memory, body)
  }

  /// - Parameter pieces: each for one thread.
  private mutating func first<R: Sendable>(
    of pieces: [Range<UInt64>], _ memory: any PhysicalMemory,
    _ body: @escaping @Sendable (any PhysicalMemory, UInt64) -> R?
  ) -> R? {
    let pages = pieces.reduce(0) { $0 + $1.count }
    guard paid + work.left(.entries) / Self.entriesOfPage >= pages,
      let reader = memory.concurrentReader(pages: pages)
    else {
      // The cut is said at the page where it is.
      return first(in: pieces, of: memory) { body(memory, $0) }
    }
    var unseen = next(upTo: pages)
    let found = Workers.map(pieces.count) { number -> (frame: UInt64, what: R)? in
      defer { memory.relax(pieces[number]) }
      for frame in pieces[number] {
        if let what = body(reader.memory, frame) { return (frame, what) }
      }
      return nil
    }
    reader.settle()
    for (piece, found) in zip(pieces, found) {
      guard let found else {
        unseen -= piece.count
        continue
      }
      paid += unseen - Int(found.frame - piece.lowerBound) - 1
      return found.what
    }
    return nil
  }

  deinit { work.release(.entries, paid * Self.entriesOfPage) }
}
