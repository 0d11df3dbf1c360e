// SPDX-License-Identifier: Apache-2.0

internal import CGuard
internal import Glibc

/// One stretch of addresses put together from made bytes and parts of files, which are mapped and
/// not copied.
@safe
public final class MappedImage {
  /// Bytes of a file at a place of the image.
  public struct Part {
    public var file: InputFile
    /// Where the part starts in the image and in its file; multiples of the page.
    public var imageOffset: Int
    public var fileOffset: Int
    public var byteCount: Int

    public init(file: InputFile, imageOffset: Int, fileOffset: Int, byteCount: Int) {
      self.file = file
      self.imageOffset = imageOffset
      self.fileOffset = fileOffset
      self.byteCount = byteCount
    }
  }

  public static let pageSize = 4096

  public let byteCount: Int
  private let guarded: Int32
  /// `byteCount` bytes are readable here for as long as the image lives. What no part covers is
  /// zero; behind the end of a file's last page nothing is.
  public let base: UnsafeMutableRawPointer

  /// - Parameters:
  ///   - head: bytes at the start of the image, at most a page.
  ///   - parts: behind the first page and apart from each other.
  ///   - name: for messages about the image as a whole.
  /// - Throws: `FileError` if a part is not inside its file or the system refuses.
  public init(
    head: [UInt8], parts: [Part], byteCount: Int, name: String
  ) throws(FileError) {
    precondition(head.count <= Self.pageSize && byteCount >= Self.pageSize)
    // A new private mapping of no file; the result is checked.
    guard
      let base = unsafe mmap(
        nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      unsafe base != MAP_FAILED
    else { throw .system(name, .map(byteCount)) }
    // From here on `deinit` gives the mapping back, also when a part is refused.
    self.byteCount = byteCount
    unsafe self.base = base
    // Bytes that go missing become zeros, and are told by `FileMapping.lost`.
    guarded = unsafe guard_add(base, byteCount)
    // The head is at most the first page, which was just mapped for writing.
    unsafe base.copyMemory(from: head, byteCount: head.count)
    for part in parts where part.byteCount > 0 {
      guard part.fileOffset >= 0, part.byteCount <= part.file.byteCount,
        part.fileOffset <= part.file.byteCount - part.byteCount
      else {
        throw FileError(
          part.file.path,
          .endsBefore(
            offset: part.fileOffset, expected: part.byteCount, available: part.file.byteCount))
      }
      precondition(
        part.imageOffset >= Self.pageSize && part.byteCount <= byteCount
          && part.imageOffset <= byteCount - part.byteCount)
      // The part's pages are inside the file and replace pages inside the mapping, both checked
      // above; nothing points at those yet.
      let mapped = unsafe mmap(
        base + part.imageOffset, part.byteCount, PROT_READ, MAP_PRIVATE | MAP_FIXED,
        part.file.descriptor, part.fileOffset)
      guard unsafe mapped != MAP_FAILED else { throw .system(part.file.path, .map(part.byteCount)) }
    }
  }

  deinit {
    guard_remove(guarded)
    // Mapped in `init` with this size, and given back once.
    unsafe _ = munmap(base, byteCount)
  }

  /// Gives back the pages of files that reading has touched; they are mapped again when needed.
  public func relax() {
    // All pages but the first are unchanged pages of files.
    unsafe _ = madvise(base + Self.pageSize, byteCount - Self.pageSize, MADV_DONTNEED)
  }
}
