// SPDX-License-Identifier: Apache-2.0

public import Memory

/// The pages that a policy's tables are rebuilt in: a small physical memory of its own.
///
/// Pages are handed out in ascending order from `base` and start as zeros. While tables are being
/// built nobody but the builder reads them; afterwards nothing writes them, and the arena serves as
/// the `PhysicalMemory` that the result is verified in.
///
/// A page that is filled with one of the dump shares its bytes until a word of it is written: most
/// pages of page tables hold no link, and stay as they are.
public final class TableArena: PhysicalMemory, @unchecked Sendable {
  /// Address of the first page; page-aligned.
  public let base: PhysicalAddress
  /// Pages that may be handed out at most.
  public let pageLimit: Int
  // Appended to and written by the one builder, before anybody reads: see the type's comment.
  private var contents: [Content] = []
  /// Where the next page that needs bytes of its own gets them.
  private var chunk = Chunk()
  private var pagesOfChunk = 0
  /// Pages handed out so far.
  public var pageCount: Int { contents.count }
  /// Pages by use.
  public private(set) var pages: [TableKind: Int] = [:]

  /// - Parameters:
  ///   - base: page-aligned; low bits are dropped.
  ///   - pageLimit: cut so that no address of the arena needs more than 52 bits.
  public init(base: PhysicalAddress, pageLimit: Int) {
    self.base = base.pageBase
    let room = (1 << 40 as UInt64) - min(1 << 40, base.frame)
    self.pageLimit = max(0, min(pageLimit, Int(clamping: room)))
  }

  /// An address for an arena beside a machine's memory: the first GiB boundary at or above the end
  /// of its RAM and not below 4 GiB, so that no page of the arena is one of the machine's.
  public static func base(beside frames: [Range<UInt64>]) -> PhysicalAddress {
    let end = frames.map(\.upperBound).max() ?? 0
    let gib: UInt64 = 1 << 18
    let frame = max(1 << 20, end > (1 << 40) - gib ? (1 << 40) - gib : (end + gib - 1) & ~(gib - 1))
    return PhysicalAddress(frame << 12)
  }

  public var bytes: UInt64 { UInt64(pageCount) * UInt64(Page.size) }

  // MARK: Building

  /// The address of `count` fresh neighbouring pages of zeros, or `nil` if the limit is reached.
  func allocate(_ kind: TableKind, count: Int = 1) -> PhysicalAddress? {
    guard count > 0, count <= pageLimit - pageCount else { return nil }
    let first = pageCount
    for _ in 0..<count { contents.append(.zeros) }
    pages[kind, default: 0] += count
    return PhysicalAddress(base.rawValue + UInt64(first) << 12)
  }

  /// Overwrites a page of the arena; does nothing elsewhere.
  func fill(_ address: PhysicalAddress, with page: Page) {
    guard let index = index(of: address) else { return }
    contents[index] = .shared(page)
  }

  /// Writes a word of the arena; does nothing elsewhere.
  func store(_ word: UInt64, at address: PhysicalAddress) {
    guard address.rawValue & 7 == 0, let index = index(of: address) else { return }
    let (chunk, offset) = ownBytes(index)
    chunk.store(word, at: offset + address.pageOffset)
  }

  private func index(of address: PhysicalAddress) -> Int? {
    guard let distance = address.distance(from: base), let index = Int(exactly: distance >> 12),
      index < pageCount
    else { return nil }
    return index
  }

  /// Where the bytes of a page may be written, which are its own from now on.
  private func ownBytes(_ index: Int) -> (chunk: Chunk, offset: Int) {
    if case .own(let chunk, let offset) = contents[index] { return (chunk, offset) }
    if pagesOfChunk == Chunk.pageCount { (chunk, pagesOfChunk) = (Chunk(), 0) }
    let offset = pagesOfChunk * Page.size
    pagesOfChunk += 1
    if case .shared(let page) = contents[index] { chunk.fill(offset, with: page) }
    contents[index] = .own(chunk, offset: offset)
    return (chunk, offset)
  }

  // MARK: PhysicalMemory

  public func contains(_ address: PhysicalAddress) -> Bool { index(of: address) != nil }

  public func page(_ frame: UInt64) throws(MemoryError) -> Page {
    let address = PhysicalAddress(frame &<< 12)
    guard frame < 1 << 52, let index = index(of: address) else {
      throw MemoryError(at: address, .notInDump)
    }
    return switch contents[index] {
    case .zeros: .zero
    case .shared(let page): page
    case .own(let chunk, let offset): chunk.page(offset)
    }
  }

  public func absence(_ frame: UInt64) -> Absence? {
    frame < 1 << 52 && contains(PhysicalAddress(frame &<< 12)) ? nil : .notInDump
  }

  public var memoryFrames: [Range<UInt64>] {
    pageCount == 0 ? [] : [base.frame..<base.frame + UInt64(pageCount)]
  }
}

/// What a page of an arena holds.
private enum Content {
  /// Nothing was written yet.
  case zeros
  /// The bytes of a page of the dump.
  case shared(Page)
  /// Bytes of its own: those at an offset of a chunk.
  case own(Chunk, offset: Int)
}

/// Pages that are allocated together.
@safe
private final class Chunk: @unchecked Sendable {
  static let pageCount = 64
  private static let byteCount = pageCount * Page.size

  // Written by the arena's builder only, before any page is handed out for reading.
  private let storage: UnsafeMutableRawPointer

  init() {
    unsafe storage = .allocate(byteCount: Self.byteCount, alignment: Page.size)
    // The whole allocation.
    unsafe storage.initializeMemory(as: UInt8.self, repeating: 0, count: Self.byteCount)
  }

  deinit { unsafe storage.deallocate() }

  /// - Precondition: `offset` is that of a page inside the chunk.
  func page(_ offset: Int) -> Page {
    precondition(offset >= 0 && offset <= Self.byteCount - Page.size)
    // A page's bytes lie inside the storage, checked above, which `self` keeps alive.
    return unsafe Page(unsafeBase: UnsafeRawPointer(storage + offset), owner: self)
  }

  func fill(_ offset: Int, with page: Page) {
    precondition(offset >= 0 && offset <= Self.byteCount - Page.size)
    page.withBytes { bytes in
      // A page is copied to a page's place inside the storage, checked above.
      unsafe bytes.withUnsafeBytes { source in
        guard let base = source.baseAddress, source.count == Page.size else { return }
        unsafe (storage + offset).copyMemory(from: base, byteCount: Page.size)
      }
    }
  }

  func store(_ word: UInt64, at offset: Int) {
    precondition(offset >= 0 && offset <= Self.byteCount - 8)
    // The word lies inside the storage, checked above.
    unsafe storage.storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt64.self)
  }
}

/// An arena in front of the memory that its tables were copied from.
///
/// The proof of nested translation needs both: the copied second stage leads to first-stage tables
/// that stay in the guest's memory.
public final class ArenaOverlay: PhysicalMemory {
  private let arena: TableArena
  private let beneath: any PhysicalMemory

  public init(_ arena: TableArena, over beneath: any PhysicalMemory) {
    self.arena = arena
    self.beneath = beneath
  }

  public func page(_ frame: UInt64) throws(MemoryError) -> Page {
    arena.absence(frame) == nil ? try arena.page(frame) : try beneath.page(frame)
  }

  public func absence(_ frame: UInt64) -> Absence? {
    arena.absence(frame) == nil ? nil : beneath.absence(frame)
  }

  public var memoryFrames: [Range<UInt64>] { beneath.memoryFrames + arena.memoryFrames }
}
