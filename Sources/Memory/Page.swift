// SPDX-License-Identifier: Apache-2.0

/// One 4 KiB page of physical memory, without a copy where the dump is mapped.
///
/// A page keeps the storage behind it alive, so it may outlive the dump's cache entry it came from.
@safe
public struct Page: @unchecked Sendable {
  /// Bytes in a page. x86_64 has no other base page size.
  public static let size = 4096
  /// 64-bit words in a page; table entries of 8 bytes in a table.
  public static let wordCount = 512

  // `owner` holds the memory that `base` points into; it is immutable for as long as it lives,
  // which makes sharing between threads sound.
  @usableFromInline let owner: AnyObject
  @usableFromInline let base: UnsafeRawPointer

  /// A page inside memory that `owner` keeps alive and unchanged.
  ///
  /// - Precondition: 4096 bytes are readable at `base` for as long as `owner` lives.
  @inlinable
  public init(unsafeBase base: UnsafeRawPointer, owner: AnyObject) {
    unsafe self.base = base
    self.owner = owner
  }

  /// A page with its own copy of `bytes`; zeros fill what is missing, more than a page is cut.
  public init(_ bytes: [UInt8]) {
    let storage = PageStorage(bytes)
    unsafe self.init(unsafeBase: storage.base, owner: storage)
  }

  /// A page of zeros; all such pages share one storage.
  public static let zero = Page([])

  /// The little-endian 64-bit word at `index`, 0…511.
  @inlinable
  public subscript(word index: Int) -> UInt64 {
    precondition(index >= 0 && index < Self.wordCount)
    // 8 × index + 8 ≤ 4096, checked above; `owner` keeps the memory readable.
    return unsafe UInt64(
      littleEndian: base.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self))
  }

  /// The little-endian integer at `offset` bytes, which must lie inside the page.
  @inlinable
  public func littleEndian<T>(at offset: Int, as type: T.Type = T.self) throws(BoundsError) -> T
  where T: FixedWidthInteger & BitwiseCopyable {
    guard offset >= 0, offset <= Self.size - MemoryLayout<T>.size else {
      throw BoundsError(
        offset: offset, expected: MemoryLayout<T>.size, available: max(0, Self.size - offset))
    }
    // Bounds were checked above; `owner` keeps the memory readable.
    return unsafe T(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  /// Calls `body` with the page's bytes.
  @inlinable
  public func withBytes<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
    // 4096 bytes are readable at `base` while `owner` lives, and `self` holds it.
    let buffer = unsafe UnsafeRawBufferPointer(start: base, count: Self.size)
    return try unsafe body(buffer.bytes)
  }

  /// Whether both have the same bytes; pages in one place do, and are not read.
  public func hasSameBytes(as other: Page) -> Bool {
    // The addresses are only compared.
    if unsafe base == other.base { return true }
    var difference: UInt64 = 0
    for index in 0..<Self.wordCount { difference |= self[word: index] ^ other[word: index] }
    return difference == 0
  }

  /// Whether every byte is zero.
  public var isZero: Bool {
    var union: UInt64 = 0
    for index in 0..<Self.wordCount { union |= self[word: index] }
    return union == 0
  }
}

/// The bytes of a page that no mapping backs.
@safe
private final class PageStorage: @unchecked Sendable {
  // Written once in `init`, read-only afterwards.
  let base: UnsafeMutableRawPointer

  init(_ bytes: [UInt8]) {
    unsafe base = .allocate(byteCount: Page.size, alignment: 16)
    let count = min(bytes.count, Page.size)
    // `count` is at most the allocated size and at most the bytes there are.
    unsafe bytes.withUnsafeBytes {
      unsafe base.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(base), byteCount: count)
    }
    unsafe (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: Page.size - count)
  }

  deinit { unsafe base.deallocate() }
}
