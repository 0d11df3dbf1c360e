// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Registers of devices, through /dev/mem, where the kernel lets the process.
public enum DeviceMemory {
  /// The file that is opened.
  public static let path = "/dev/mem"
  private static let pageSize: UInt64 = 4096

  /// Words of 64 bits, each read once and whole.
  ///
  /// - Parameters:
  ///   - address: physical, a multiple of 8.
  ///   - count: how many words.
  /// - Returns: by offset from `address`.
  /// - Throws: `FileError`: no such device, no right, or memory that the kernel keeps to its drivers
  ///   (CONFIG_IO_STRICT_DEVMEM).
  public static func words(
    at address: UInt64, count: Int
  ) throws(FileError) -> [UInt64: UInt64] {
    precondition(address % 8 == 0 && (1...1024).contains(count))
    // O_SYNC maps without caches. The path is a constant.
    let descriptor = unsafe open(path, O_RDONLY | O_SYNC | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(path, .open) }
    defer { close(descriptor) }
    let start = address / pageSize * pageSize
    let skipped = Int(address - start)
    let length = skipped + 8 * count
    // The result is checked; nothing else points into it.
    guard
      let base = unsafe mmap(
        nil, length, PROT_READ, MAP_SHARED, descriptor, off_t(truncatingIfNeeded: start)),
      unsafe base != MAP_FAILED
    else { throw .system(path, .map(length)) }
    defer { unsafe _ = munmap(base, length) }
    var words: [UInt64: UInt64] = [:]
    for index in 0..<count {
      // Inside the mapping, and aligned as `address` is.
      words[UInt64(8 * index)] = unsafe (base + skipped + 8 * index).load(as: UInt64.self)
    }
    return words
  }
}
