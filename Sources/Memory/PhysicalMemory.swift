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

  /// The physical ranges that the dump describes as RAM, sorted, disjoint, in frames.
  var memoryFrames: [Range<UInt64>] { get }
}

extension PhysicalMemory {
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
      let page = try page(next.frame)
      let offset = next.pageOffset
      let length = min(Page.size - offset, count - result.count)
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
