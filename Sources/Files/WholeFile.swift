// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Files of modest size that are read whole, such as a System.map, whatever kind they are: a pipe
/// and a file of `/proc`, which tell no size, are read to their end.
public enum WholeFile {
  /// - Parameter limit: more bytes than this are refused, and not kept.
  /// - Throws: `FileError` with the system's reason, or for a larger file.
  public static func read(_ path: String, limit: Int = 1 << 28) throws(FileError) -> [UInt8] {
    let descriptor = try open(path)
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      // The buffer is the array's own, with its own count.
      let count = unsafe chunk.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0, errno == EINTR { continue }
      // A directory opens and then refuses to be read.
      guard count >= 0 else { throw .system(path, .open) }
      if count == 0 { return bytes }
      guard count <= limit - bytes.count else { throw FileError(path, .isTooLarge(limit: limit)) }
      bytes += chunk[..<count]
    }
  }

  /// The first bytes of a file, `count` at most.
  ///
  /// - Returns: `nil` for a pipe, whose bytes would be gone afterwards.
  public static func prefix(_ path: String, count: Int) throws(FileError) -> [UInt8]? {
    let descriptor = try open(path)
    defer { close(descriptor) }
    var head = [UInt8](repeating: 0, count: count)
    while true {
      // The buffer is the array's own, with its own count.
      let count = unsafe head.withUnsafeMutableBytes {
        unsafe pread(descriptor, $0.baseAddress, $0.count, 0)
      }
      if count >= 0 { return Array(head[..<count]) }
      if errno == EINTR { continue }
      guard errno != ESPIPE else { return nil }
      throw .system(path, .open)
    }
  }

  private static func open(_ path: String) throws(FileError) -> Int32 {
    // The path is copied into a terminated string for the call.
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(path, .open) }
    return descriptor
  }
}
