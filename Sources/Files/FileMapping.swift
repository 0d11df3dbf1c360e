// SPDX-License-Identifier: Apache-2.0

internal import CGuard
internal import Glibc
public import Memory
internal import Synchronization

/// A whole file mapped for reading, or a buffer that stands for one.
///
/// Nobody but this class touches the mapping: bytes are handed out as spans that end with the call,
/// and as pages, which keep the mapping alive. A file that another program shortens while it is
/// mapped is told by `shortenedFiles` where the loss was met in time, and by `lost` where it was not.
@safe
public final class FileMapping: @unchecked Sendable {
  /// The file as the caller named it.
  public let name: String
  /// In the file; at least one.
  public let byteCount: Int
  // `byteCount` bytes are readable at `base` until `deinit`, and nothing writes to them, which makes
  // sharing between threads sound.
  private let base: UnsafeRawPointer
  /// The mapping's number with the guard; `nil` for a copy in memory, which nothing can take away.
  private let guarded: Int32?
  /// The file behind the mapping, which tells whether it is still as long as it was.
  private let file: InputFile?

  /// Maps a regular file or a block device.
  ///
  /// - Throws: what `InputFile` throws, `FileError.Cause.isEmpty`, or the system's reason.
  public convenience init(_ path: String) throws(FileError) {
    try self.init(InputFile(path))
  }

  /// Maps an open file.
  ///
  /// - Parameter name: for messages.
  /// - Throws: `FileError.Cause.isEmpty`, or the system's reason.
  public init(_ file: InputFile, name: String? = nil) throws(FileError) {
    let path = name ?? file.path
    guard file.byteCount > 0 else { throw FileError(path, .isEmpty) }
    // A private read-only mapping of an open descriptor; the result is checked.
    let mapped = unsafe mmap(
      nil, file.byteCount, PROT_READ, MAP_PRIVATE, file.descriptor, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      throw .system(path, .map(file.byteCount))
    }
    let number = unsafe guard_add(mapped, file.byteCount)
    guard number >= 0 else {
      unsafe munmap(mapped, file.byteCount)
      throw FileError(path, .system(.map(file.byteCount), SystemError(EMFILE)))
    }
    self.name = path
    byteCount = file.byteCount
    unsafe base = UnsafeRawPointer(mapped)
    guarded = number
    self.file = file
    Self.names.withLock { $0[number] = path }
  }

  /// A copy of `bytes` under a name for messages.
  ///
  /// - Throws: `FileError.Cause.isEmpty`.
  public init(_ bytes: [UInt8], name: String) throws(FileError) {
    guard !bytes.isEmpty else { throw FileError(name, .isEmpty) }
    let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: Page.size)
    // Both sides have `bytes.count` bytes, and a non-empty array has a base address.
    unsafe bytes.withUnsafeBytes {
      if let source = $0.baseAddress {
        unsafe copy.copyMemory(from: source, byteCount: bytes.count)
      }
    }
    self.name = name
    byteCount = bytes.count
    unsafe base = UnsafeRawPointer(copy)
    guarded = nil
    file = nil
  }

  deinit {
    // Each kind of memory is returned the way it was got; no page outlives its owner.
    if let guarded {
      guard_remove(guarded)
      unsafe munmap(UnsafeMutableRawPointer(mutating: base), byteCount)
    } else {
      unsafe base.deallocate()
    }
  }

  /// Whether the system can read all of `length` bytes at `offset` now, which must be inside the file.
  public func isReadable(at offset: Int, length: Int) -> Bool {
    precondition(offset >= 0 && length >= 0 && length <= byteCount && offset <= byteCount - length)
    guard let guarded else { return true }
    // Nothing is believed of a file that has lost bytes unseen. The range was checked above.
    if guard_lost(guarded) == 0, unsafe guard_probe(base + offset, length) == 1 { return true }
    Self.unreadable.withLock { _ = $0.insert(name) }
    if let file, file.isShorter { Self.shortened.withLock { _ = $0.insert(name) } }
    return false
  }

  private static let unreadable = Mutex<Set<String>>([])

  /// Files of which some part that was asked for could not be read, although it was there when the
  /// file was opened.
  public static var unreadableFiles: [String] { unreadable.withLock { $0.sorted() } }

  private static let shortened = Mutex<Set<String>>([])

  /// Those of `unreadableFiles` that became shorter after they were opened: somebody writes to them, and
  /// what was read of them may be of different times.
  public static var shortenedFiles: [String] { shortened.withLock { $0.sorted() } }

  private static let names = Mutex<[Int32: String]>([:])

  /// A file whose bytes went missing while they were being looked at, in any mapping of this process;
  /// what was read since may be zeros in place of them.
  public static var lost: FileError? {
    let number = guard_first_lost()
    guard number >= 0 else { return nil }
    return FileError(names.withLock { $0[number] } ?? "a file", .lostBytes)
  }

  /// Bytes that the file takes on its disk; no more than it is long.
  public var allocatedBytes: Int { min(byteCount, file?.allocatedBytes ?? byteCount) }

  /// Calls `body` with `length` bytes at `offset`, which must be inside the file.
  @inline(__always)
  public func withBytes<R>(at offset: Int, length: Int, _ body: (RawSpan) -> R) -> R {
    precondition(offset >= 0 && length >= 0 && length <= byteCount && offset <= byteCount - length)
    // The range was checked above; `self` keeps the memory readable during the call.
    let buffer = unsafe UnsafeRawBufferPointer(start: base + offset, count: length)
    return unsafe body(buffer.bytes)
  }

  /// Gives back whole pages of `length` bytes at `offset`, which must be inside the file; they are
  /// mapped again when they are looked at.
  public func relax(at offset: Int, length: Int) {
    precondition(offset >= 0 && length >= 0 && length <= byteCount && offset <= byteCount - length)
    let first = (offset + Page.size - 1) & ~(Page.size - 1)
    let end = (offset + length) & ~(Page.size - 1)
    guard guarded != nil, first < end else { return }
    // Unchanged pages of the file inside the mapping, which begins at a page; or zeros in their place,
    // which stay zeros.
    unsafe _ = madvise(
      UnsafeMutableRawPointer(mutating: base + first), end - first, MADV_DONTNEED)
  }

  /// The 4096 bytes at `offset`, which must be inside the file, without a copy.
  public func page(at offset: Int) -> Page {
    precondition(offset >= 0 && Page.size <= byteCount && offset <= byteCount - Page.size)
    // All 4096 bytes lie inside the mapping, as checked above, and the page keeps `self` alive.
    return unsafe Page(unsafeBase: base + offset, owner: self)
  }
}
