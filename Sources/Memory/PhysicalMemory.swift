// SPDX-License-Identifier: Apache-2.0

/// The physical memory of a crashed machine, page by page.
///
/// One primitive, `page(_:)`; everything else derives from it. Implementations are safe to call
/// from several threads.
public protocol PhysicalMemory: AnyObject, Sendable {
  /// The page with number `frame` (physical address divided by 4096).
  ///
  /// - Throws: `MemoryError` with the reason of the absence; never returns made-up bytes.
  func page(_ frame: UInt64) throws(MemoryError) -> Page

  /// Whether the page is stored, and why not, without decoding its bytes.
  ///
  /// - Returns: `nil` if `page(_:)` would find the page's bytes (they may still be corrupt).
  func absence(_ frame: UInt64) -> Absence?

  /// What the dump has of a page that `page(_:)` does not find whole, if that is more than nothing.
  ///
  /// The ranges of an ELF dump begin and end where firmware's map does, which need not be at a page.
  func part(_ frame: UInt64) -> PagePart?

  /// The physical ranges that the dump describes as RAM, sorted, disjoint, in frames.
  var memoryFrames: [Range<UInt64>] { get }

  /// Whether reading a page changes nothing that can be told later: it costs the run nothing, and
  /// nobody remembers it. Then several threads may read ahead of what will be asked for.
  var isFreeToRead: Bool { get }

  /// Whether it helps to say which pages will be asked for.
  var readsAhead: Bool { get }

  /// Says which pages will be asked for next, so that they may be made ready on all processors.
  ///
  /// No answer changes by it, and nothing is paid for before it is asked for.
  func willRead(_ frames: [UInt64])

  /// Whether there are readers for several threads: not where somebody remembers in which order pages are
  /// read.
  var isReadConcurrently: Bool { get }

  /// The same pages, for several threads that read at once.
  ///
  /// - Parameter pages: how many different ones will be read at most.
  /// - Returns: `nil` unless `isReadConcurrently`, or where the run may not pay for as many pages.
  func concurrentReader(pages: Int) -> ConcurrentReader?

  /// Says that pages were looked through and will hardly be asked for again, so that none of them needs
  /// to stay at hand.
  ///
  /// No answer changes by it.
  func relax(_ frames: Range<UInt64>)
}

/// Pages for several threads, which are paid for when all of them were read.
public struct ConcurrentReader: Sendable {
  public let memory: any PhysicalMemory
  private let pay: @Sendable () -> Void

  /// - Parameter pay: takes what was read from the run's budget.
  public init(_ memory: any PhysicalMemory, pay: @escaping @Sendable () -> Void) {
    (self.memory, self.pay) = (memory, pay)
  }

  /// Pays for all that was read; to be called once, if what was read is used.
  public func settle() { pay() }
}

/// Some bytes of one page.
public struct PagePart: Sendable {
  /// The bytes that there are; zeros, which mean nothing, elsewhere.
  public var page: Page
  /// Offsets of the bytes that there are; ascending, disjoint, none empty.
  public var ranges: [Range<Int>]

  public init(page: Page, ranges: [Range<Int>]) {
    self.page = page
    self.ranges = ranges
  }

  /// Whether all of the bytes at some offsets are there.
  public func covers(_ range: Range<Int>) -> Bool {
    ranges.contains { $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound }
  }
}

extension PhysicalMemory {
  public func part(_ frame: UInt64) -> PagePart? { nil }

  public var isFreeToRead: Bool { false }
  public var isReadConcurrently: Bool { isFreeToRead }
  public var readsAhead: Bool { false }
  public func willRead(_ frames: [UInt64]) {}
  public func relax(_ frames: Range<UInt64>) {}

  public func concurrentReader(pages: Int) -> ConcurrentReader? {
    isReadConcurrently ? ConcurrentReader(self) {} : nil
  }

  /// The page with number `frame` if it is whole, or else the part of it that covers `range`, offsets
  /// into the page; other bytes of such a page mean nothing.
  public func page(_ frame: UInt64, covering range: Range<Int>) throws(MemoryError) -> Page {
    do {
      return try page(frame)
    } catch {
      guard let part = part(frame), part.covers(range) else { throw error }
      return part.page
    }
  }

  /// The page that contains `address`.
  @inlinable
  public func page(containing address: PhysicalAddress) throws(MemoryError) -> Page {
    try page(address.frame)
  }

  /// A page whose absence as an ELF hole counts as zeros: for tables and bitmaps, where a page of
  /// zeros is an ordinary sight.
  ///
  /// - Returns: the page and whether its zeros are an assumption that a report must mention.
  @inlinable
  public func pageOrAssumedZero(
    _ frame: UInt64
  ) throws(MemoryError) -> (page: Page, isAssumed: Bool) {
    do {
      return (try page(frame), false)
    } catch {
      guard error.absence == .zeroOrExcluded else { throw error }
      return (.zero, true)
    }
  }

  /// Copies `count` bytes that may span pages.
  public func bytes(at address: PhysicalAddress, count: Int) throws(MemoryError) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    var next = address
    while result.count < count {
      let offset = next.pageOffset
      let length = min(Page.size - offset, count - result.count)
      let page = try page(next.frame, covering: offset..<offset + length)
      page.withBytes { bytes in
        // `offset` and `length` were cut to the page above, so the copy cannot fail.
        if let part = try? bytes.copy(at: offset, count: length) { result += part }
      }
      guard let following = next.advanced(by: UInt64(length)) else {
        if result.count == count { break }
        throw MemoryError(at: next, .notInDump)
      }
      next = following
    }
    return result
  }

  /// The little-endian integer at `address`, which may span two pages.
  public func littleEndian<T>(
    at address: PhysicalAddress, as type: T.Type = T.self
  ) throws(MemoryError) -> T
  where T: FixedWidthInteger & BitwiseCopyable {
    if address.pageOffset <= Page.size - MemoryLayout<T>.size,
      let value: T = try? page(address.frame).littleEndian(at: address.pageOffset)
    {
      return value
    }
    let bytes = try bytes(at: address, count: MemoryLayout<T>.size)
    var value: T = 0
    for byte in bytes.reversed() { value = value << 8 | T(truncatingIfNeeded: byte) }
    return value
  }
}
