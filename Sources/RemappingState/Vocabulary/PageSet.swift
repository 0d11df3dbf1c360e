// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// A set of 4 KiB pages, a bit for each, where that is smaller than a list of ranges.
///
/// Made for millions of short ranges in any order, which need not be sorted here.
public struct PageSet {
  /// The chunk that stands for each stretch of `pagesOfChunk` pages from the first one on; -1 where
  /// none of its pages is in the set.
  private var chunkOfStretch: [Int32]
  private let firstStretch: UInt64
  private var words: [UInt64] = []

  /// Pages that one chunk of bits stands for; 2^15 are 128 MiB of memory and 4 KiB of bits.
  private static let pagesOfChunk: UInt64 = 1 << 15
  private static let wordsOfChunk = 1 << 9
  /// Stretches from the first page to the last at most: 2^20 are 128 TiB.
  private static let stretchLimit: UInt64 = 1 << 20
  /// The pages of a window, as a power of two: their bits take 128 KiB, which a processor has at hand.
  private static let windowShift: UInt64 = 20

  /// The pages that may be written through some runs, in any order.
  ///
  /// - Returns: `nil` where bits would take more memory or time than a list of the runs, or a target is
  ///   no whole pages.
  public init?(writableThrough runs: [Run]) {
    var (lowest, highest, count) = (UInt64.max, 0 as UInt64, 0)
    var unaligned: UInt64 = 0
    for run in runs where Self.isWritable(run) {
      let range = run.targets
      lowest = min(lowest, range.lowerBound)
      highest = max(highest, range.upperBound)
      unaligned |= range.lowerBound | ~range.upperBound
      count += 1
    }
    let shift: UInt64 = 12 + 15
    guard count > 1 << 10, unaligned & 0xfff == 0,
      highest >> shift - lowest >> shift < Self.stretchLimit
    else { return nil }
    firstStretch = lowest >> shift
    chunkOfStretch = Array(repeating: -1, count: Int(highest >> shift - firstStretch) + 1)
    // Hostile runs may all be as wide as memory; a sort is not held up by their width.
    var steps = 64 * count
    var counts = Array(repeating: 0, count: chunkOfStretch.count >> (Self.windowShift - 15) + 1)
    guard let chunks = assignChunks(to: runs, counting: &counts, &steps),
      // A range takes 16 bytes in a list.
      chunks * Self.wordsOfChunk <= 2 * count
    else { return nil }
    words = Array(repeating: 0, count: chunks * Self.wordsOfChunk)
    // Bits that are not at hand take longer than all the rest, so targets that are far apart are taken
    // window by window.
    guard counts.count > 4 ? insertByWindow(runs, counted: counts, &steps) : insert(runs, &steps)
    else { return nil }
  }

  /// Gives a chunk to each stretch in which a page is.
  ///
  /// - Parameter counts: of each window, how many short runs begin in it.
  /// - Returns: how many chunks there are; `nil` where that takes too many steps.
  private mutating func assignChunks(
    to runs: [Run], counting counts: inout [Int], _ steps: inout Int
  ) -> Int? {
    var chunks = 0
    for run in runs where Self.isWritable(run) {
      let pages = run.targets.pages
      var stretch = Int(truncatingIfNeeded: pages.lowerBound >> 15 - firstStretch)
      let last = Int(truncatingIfNeeded: pages.upperBound >> 15 - firstStretch)
      if Self.isShort(pages) { counts[stretch >> (Self.windowShift - 15)] += 1 }
      steps -= last - stretch
      guard steps > 0 else { return nil }
      while stretch <= last {
        if chunkOfStretch[stretch] < 0 {
          chunkOfStretch[stretch] = Int32(truncatingIfNeeded: chunks)
          chunks += 1
        }
        stretch += 1
      }
    }
    return chunks
  }

  /// Takes the writable pages of runs, all of whose stretches have chunks.
  ///
  /// - Returns: whether that took no more than some steps.
  private mutating func insert(_ runs: [Run], _ steps: inout Int) -> Bool {
    let (firstStretch, chunkOfStretch) = (firstStretch, chunkOfStretch)
    var words = words.mutableSpan
    for run in runs where Self.isWritable(run) {
      guard Self.insert(run.targets.pages, firstStretch, chunkOfStretch, into: &words, &steps)
      else { return false }
    }
    return true
  }

  /// The same window by window.
  ///
  /// - Parameter counts: of each window, how many short runs begin in it.
  private mutating func insertByWindow(
    _ runs: [Run], counted counts: [Int], _ steps: inout Int
  ) -> Bool {
    let (firstStretch, chunkOfStretch) = (firstStretch, chunkOfStretch)
    var words = words.mutableSpan
    let base = firstStretch << 15
    var ends = counts
    for window in 1..<ends.count { ends[window] += ends[window - 1] }
    // An entry is a page's number in its window, and in its upper bits the number of pages behind it.
    var entries: [UInt32] = Array(repeating: 0, count: ends[ends.count - 1])
    var next = ends
    for run in runs where Self.isWritable(run) {
      let pages = run.targets.pages
      guard Self.isShort(pages) else {
        guard Self.insert(pages, firstStretch, chunkOfStretch, into: &words, &steps) else {
          return false
        }
        continue
      }
      let first = pages.lowerBound - base
      let window = Int(truncatingIfNeeded: first >> Self.windowShift)
      next[window] -= 1
      let count = pages.upperBound - pages.lowerBound
      entries[next[window]] = UInt32(
        truncatingIfNeeded: count << Self.windowShift | first & (1 << Self.windowShift - 1))
    }
    for window in ends.indices {
      let first = base + UInt64(window) << Self.windowShift
      for entry in entries[next[window]..<ends[window]] {
        let page = first + UInt64(entry & (1 << UInt32(Self.windowShift) - 1))
        let last = page + UInt64(entry >> UInt32(Self.windowShift))
        guard Self.insert(page...last, firstStretch, chunkOfStretch, into: &words, &steps) else {
          return false
        }
      }
    }
    return true
  }

  /// Sets the bits of pages whose stretches have chunks.
  ///
  /// - Returns: whether there were steps left.
  @inline(__always)
  private static func insert(
    _ pages: ClosedRange<UInt64>, _ firstStretch: UInt64, _ chunkOfStretch: [Int32],
    into words: inout MutableSpan<UInt64>, _ steps: inout Int
  ) -> Bool {
    var page = pages.lowerBound
    while page <= pages.upperBound {
      steps &-= 1
      guard steps > 0 else { return false }
      // As far as the word goes that the page's bit is in.
      let end = min(pages.upperBound, page | 63)
      let chunk = Int(chunkOfStretch[Int(truncatingIfNeeded: page >> 15 - firstStretch)])
      let word = chunk &* wordsOfChunk &+ Int(truncatingIfNeeded: page >> 6 & 511)
      words[word] |= bits(page & 63, end & 63)
      page = end &+ 1
    }
    return true
  }

  @inline(__always)
  private static func isWritable(_ run: Run) -> Bool {
    run.length.rawValue > 0 && run.access != .read
  }

  /// Whether an entry of a window can tell the pages.
  @inline(__always)
  private static func isShort(_ pages: ClosedRange<UInt64>) -> Bool {
    pages.upperBound - pages.lowerBound < 1 << (32 - windowShift)
  }

  /// Bits from one to another, both inclusive and below 64.
  private static func bits(_ first: UInt64, _ last: UInt64) -> UInt64 {
    ~0 &<< first & ~0 &>> (63 &- last)
  }

  /// The 64 pages from `page` on, which is a multiple of 64.
  private func word(_ page: UInt64) -> UInt64 {
    let stretch = page >> 15
    guard stretch >= firstStretch, stretch - firstStretch < UInt64(chunkOfStretch.count) else {
      return 0
    }
    let chunk = Int(chunkOfStretch[Int(stretch - firstStretch)])
    return chunk < 0 ? 0 : words[chunk * Self.wordsOfChunk + Int(page >> 6 & 511)]
  }

  /// Bytes of all pages.
  public var bytes: UInt64 {
    words.reduce(0 as UInt64) { $0 + UInt64($1.nonzeroBitCount) } << 12
  }

  /// The parts of `ranges` that lie in one of the pages.
  public func intersection(_ ranges: AddressRanges) -> AddressRanges {
    var parts = AddressRanges.Builder()
    forEachPart(of: ranges) { parts.add($0) }
    return parts.ranges
  }

  /// Bytes of `ranges` that lie in one of the pages.
  public func bytes(in ranges: AddressRanges) -> UInt64 {
    var sum: UInt64 = 0
    forEachPart(of: ranges) { sum &+= $0.upperBound - $0.lowerBound + 1 }
    return sum
  }

  /// Calls `body` with parts of `ranges` that lie in pages of the set, ascending; neighbours may come
  /// as two.
  private func forEachPart(
    of ranges: AddressRanges, _ body: (ClosedRange<UInt64>) -> Void
  ) {
    let first = firstStretch << 15
    let last = first + UInt64(chunkOfStretch.count) << 15 - 1
    for range in ranges.ranges {
      var page = max(range.lowerBound >> 12, first)
      let end = min(range.upperBound >> 12, last)
      while page <= end {
        if page & (Self.pagesOfChunk - 1) == 0, chunkOfStretch[Int(page >> 15 - firstStretch)] < 0 {
          page += Self.pagesOfChunk
          continue
        }
        let lastOfWord = min(end, page | 63)
        var bits = word(page & ~63) & Self.bits(page & 63, lastOfWord & 63)
        let base = page & ~63
        while bits != 0 {
          let low = UInt64(bits.trailingZeroBitCount)
          let length = UInt64((~(bits >> low)).trailingZeroBitCount)
          let high = low + length - 1
          body(
            max(
              range.lowerBound, (base + low) << 12)...min(
                range.upperBound, (base + high) << 12 | 0xfff))
          bits &= ~Self.bits(low, high)
        }
        page = lastOfWord + 1
      }
    }
  }
}

extension ClosedRange<UInt64> {
  /// The numbers of the pages that addresses lie in.
  fileprivate var pages: ClosedRange<UInt64> { lowerBound >> 12...upperBound >> 12 }
}
