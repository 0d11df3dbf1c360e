// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A file without a name for bytes that have to be somewhere while they are read; it goes with the
/// process, however that ends.
///
/// Stretches of zeros become holes, so that they take no room.
public final class TemporaryFile {
  /// What the bytes are, for messages.
  public let path: String
  /// The folder it is in: `TMPDIR`, else `/var/tmp`, else `/tmp`.
  public let folder: String
  /// Bytes so far.
  public private(set) var byteCount = 0
  /// Bytes so far that are no holes.
  public private(set) var storedByteCount = 0
  private let file: InputFile

  /// - Parameter path: what the bytes are, for messages.
  /// - Throws: `FileError` if no folder takes a file.
  public init(for path: String) throws(FileError) {
    self.path = path
    var failure = FileError(path, .noTemporaryFolder(SystemError(ENOENT)))
    for folder in Self.folders {
      let descriptor = Self.create(in: folder)
      if descriptor >= 0 {
        self.folder = folder
        file = InputFile(descriptor: descriptor, path: path, byteCount: 0)
        return
      }
      failure.cause = .noTemporaryFolder(.current)
    }
    throw failure
  }

  /// Where TMPDIR is set, nowhere else: its owner has a reason.
  private static var folders: [String] {
    // The string stays valid until the environment changes, which nothing here does.
    if let value = unsafe getenv("TMPDIR"), case let folder = unsafe String(cString: value),
      !folder.isEmpty
    {
      return [folder]
    }
    return ["/var/tmp", "/tmp"]
  }

  /// `O_TMPFILE` of open(2) on x86_64, which Glibc's module does not show.
  private static let namelessFlag: Int32 = 0o20_000_000 | O_DIRECTORY

  private static func create(in folder: String) -> Int32 {
    // The paths are terminated strings for the length of each call.
    let nameless = unsafe open(folder, namelessFlag | O_RDWR | O_CLOEXEC, 0o600)
    if nameless >= 0 { return nameless }
    let name = folder + "/.iommuscope-" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
    let descriptor = unsafe open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if descriptor >= 0 { unsafe _ = unlink(name) }
    return descriptor
  }

  /// What is looked at as a whole when zeros are left out.
  private static let block = 4096

  /// Adds bytes at the end.
  ///
  /// - Throws: `FileError.Cause.noRoom` for a full disk, or the system's reason.
  public func append(_ bytes: [UInt8]) throws(FileError) {
    var start = 0
    while start < bytes.count {
      // Blocks count from the start of the file, so that holes are whole pages of it.
      var end = start
      var isZero: Bool?
      while end < bytes.count {
        let next = min(bytes.count, end + Self.block - (byteCount + end) % Self.block)
        let zero = Self.isZero(bytes, end..<next)
        guard isZero ?? zero == zero else { break }
        isZero = zero
        end = next
      }
      if isZero == false {
        try write(bytes, start..<end)
        storedByteCount += end - start
      }
      start = end
    }
    byteCount += bytes.count
  }

  private static func isZero(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    guard bytes[range.lowerBound] == 0 else { return false }
    // All bytes equal the next one and the first is zero; both ranges are inside the array.
    return unsafe bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return true }
      return unsafe memcmp(
        base + range.lowerBound, base + range.lowerBound + 1, range.count - 1) == 0
    }
  }

  private func write(_ bytes: [UInt8], _ range: Range<Int>) throws(FileError) {
    var done = range.lowerBound
    while done < range.upperBound {
      // `done..<upperBound` is inside the array, whose memory is valid during the call.
      let written = unsafe bytes.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress else { return 0 }
        return unsafe pwrite(
          file.descriptor, base + done, range.upperBound - done, off_t(byteCount + done))
      }
      if written >= 0 {
        done += written
        continue
      }
      switch errno {
      case EINTR: continue
      case ENOSPC, EDQUOT, EFBIG:
        throw FileError(path, .noRoom(folder: folder, needed: byteCount + done))
      default: throw .system(path, .unpack)
      }
    }
  }

  /// The file with all that was added, for reading.
  public func finish() throws(FileError) -> InputFile {
    while ftruncate(file.descriptor, off_t(byteCount)) != 0 {
      guard errno == EINTR else { throw .system(path, .unpack) }
    }
    let descriptor = fcntl(file.descriptor, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0 else { throw .system(path, .unpack) }
    return InputFile(descriptor: descriptor, path: path, byteCount: byteCount)
  }
}
