// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A whole file mapped for reading, or a buffer that stands for one.
///
/// Pages of a dump point into the mapping and keep it alive. A file that another program shortens
/// while it is mapped makes the system end this process (SIGBUS): dumps must not change under the
/// reader.
@safe
final class FileMapping: @unchecked Sendable {
  /// The file as the caller named it.
  let name: String
  /// Bytes in the file.
  let count: Int
  // `count` bytes are readable at `base` until `deinit`, and nothing writes to them, which makes
  // sharing between threads sound.
  let base: UnsafeRawPointer
  private let isMapped: Bool

  /// Maps a regular file or a block device.
  init(_ path: String) throws(DumpError) {
    // Without O_NONBLOCK the open would wait for a writer if the file is a pipe. Swift passes the
    // path as a terminated string that lives as long as the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system(path, "open the dump", errno: errno) }
    defer { close(descriptor) }

    var status = stat()
    // `status` is a valid place for the result.
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw .system(path, "read the dump's status", errno: errno)
    }
    let size: Int
    switch status.st_mode & S_IFMT {
    case S_IFREG: size = status.st_size
    case S_IFBLK: size = lseek(descriptor, 0, SEEK_END)
    case S_IFDIR:
      throw DumpError(path, .notADump, "expected a dump, found a directory; name the file in it")
    default:
      throw DumpError(
        path, .notADump,
        "expected a regular file, found a pipe or a device; save the dump to a file first")
    }
    guard size > 0 else {
      throw DumpError(path, .notADump, "expected a dump, found an empty file; copy the dump again")
    }
    // A private read-only mapping of an open descriptor; the result is checked.
    let mapped = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      throw .system(path, "map \(size) bytes of the dump", errno: errno)
    }
    name = path
    count = size
    unsafe base = UnsafeRawPointer(mapped)
    isMapped = true
  }

  /// A copy of `bytes` under a name for messages.
  init(_ bytes: [UInt8], name: String) throws(DumpError) {
    guard !bytes.isEmpty else {
      throw DumpError(name, .notADump, "expected a dump, found an empty file; copy the dump again")
    }
    let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 4096)
    // Both sides have `bytes.count` bytes, and a non-empty array has a base address.
    unsafe bytes.withUnsafeBytes {
      if let source = $0.baseAddress {
        unsafe copy.copyMemory(from: source, byteCount: bytes.count)
      }
    }
    self.name = name
    count = bytes.count
    unsafe base = UnsafeRawPointer(copy)
    isMapped = false
  }

  deinit {
    // Each kind of memory is returned the way it was got; no page outlives its owner.
    if isMapped {
      unsafe munmap(UnsafeMutableRawPointer(mutating: base), count)
    } else {
      unsafe base.deallocate()
    }
  }

  /// Calls `body` with `length` bytes at `offset`, both already checked against `count`.
  func withBytes<R>(at offset: Int, length: Int, _ body: (RawSpan) -> R) -> R {
    precondition(offset >= 0 && length >= 0 && length <= count && offset <= count - length)
    // The range was checked above; `self` keeps the memory readable during the call.
    let buffer = unsafe UnsafeRawBufferPointer(start: base + offset, count: length)
    return unsafe body(buffer.bytes)
  }
}
