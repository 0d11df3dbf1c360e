// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// An open file with a size, read piece by piece at any offset.
///
/// A kernel with debug information has 600 MB, of which a few are needed.
public final class InputFile: Sendable {
  /// As the caller named it.
  public let path: String
  /// Bytes in the file when it was opened.
  public let byteCount: Int
  /// For libraries that read by themselves; valid until this object goes.
  public let descriptor: Int32

  /// Opens a regular file or a block device.
  ///
  /// - Throws: `FileError` if the system refuses, and for everything without a size: a directory, a
  ///   pipe, a terminal. None of them can block the call.
  public init(_ path: String) throws(FileError) {
    // Without O_NONBLOCK the open would wait for a writer if the file is a pipe. Swift passes the
    // path as a terminated string that lives as long as the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system(path, .open) }
    var status = stat()
    // `status` is a valid place for the result.
    guard unsafe fstat(descriptor, &status) == 0 else {
      let error = FileError.system(path, .status)
      close(descriptor)
      throw error
    }
    let size: Int
    switch status.st_mode & S_IFMT {
    case S_IFREG: size = Int(status.st_size)
    case S_IFBLK: size = lseek(descriptor, 0, SEEK_END)
    case let kind:
      close(descriptor)
      throw FileError(path, kind == S_IFDIR ? .isDirectory : .isNotRegular)
    }
    guard size >= 0 else {
      let error = FileError.system(path, .status)
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = size
  }

  /// An open file, which this object closes.
  ///
  /// - Throws: where it has no size.
  public convenience init(taking descriptor: Int32, path: String) throws(FileError) {
    var status = stat()
    // `status` is a valid place for the result.
    guard unsafe fstat(descriptor, &status) == 0, FileKind(status.st_mode) == .regular else {
      close(descriptor)
      throw FileError(path, .isNotRegular)
    }
    self.init(descriptor: descriptor, path: path, byteCount: Int(status.st_size))
  }

  /// An open file, which this object closes.
  init(descriptor: Int32, path: String, byteCount: Int) {
    self.descriptor = descriptor
    self.path = path
    self.byteCount = byteCount
  }

  /// What standard input is, where that is a file and not a pipe.
  public static func standardInput() throws(FileError) -> InputFile? {
    var status = stat()
    // `status` is a valid place for the result.
    guard unsafe fstat(STDIN_FILENO, &status) == 0, FileKind(status.st_mode) == .regular,
      status.st_size > 0, lseek(STDIN_FILENO, 0, SEEK_CUR) == 0
    else { return nil }
    let descriptor = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0 else { throw .system("standard input", .open) }
    return InputFile(
      descriptor: descriptor, path: "standard input", byteCount: Int(status.st_size))
  }

  /// A nameless file in memory, for bytes that have to be made before they can be mapped.
  ///
  /// - Parameter path: the file that the bytes come from, for messages.
  public init(memory bytes: [UInt8], for path: String) throws(FileError) {
    let name = "/iommuscope-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    // The name is valid for both calls; unlinked at once, it lives as long as the descriptor.
    let descriptor = unsafe shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system(path, .unpack) }
    unsafe _ = shm_unlink(name)
    do {
      try OutputDescriptor(descriptor, name: path).write(bytes)
    } catch {
      close(descriptor)
      guard case .system(_, let reason) = error.cause else { throw error }
      throw FileError(path, .system(.unpack, reason))
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = bytes.count
  }

  deinit { close(descriptor) }

  /// Bytes that the file takes on its disk; of what is no regular file, its size.
  var allocatedBytes: Int {
    var status = stat()
    // `status` is a valid place for the result.
    guard unsafe fstat(descriptor, &status) == 0, FileKind(status.st_mode) == .regular else {
      return byteCount
    }
    // stat(3type): in units of 512 bytes. Some file systems do not count them.
    let (bytes, overflow) = Int(status.st_blocks).multipliedReportingOverflow(by: 512)
    return overflow || bytes <= 0 ? byteCount : bytes
  }

  /// Whether the file has fewer bytes than when it was opened.
  var isShorter: Bool {
    var status = stat()
    // `status` is a valid place for the result.
    guard unsafe fstat(descriptor, &status) == 0, FileKind(status.st_mode) == .regular else {
      return false
    }
    return Int(status.st_size) < byteCount
  }

  /// Reads exactly the bytes of `range`.
  ///
  /// - Throws: `FileError` if the range is not inside the file, if the file has become shorter, and
  ///   with what the system says.
  public func read(_ range: Range<Int>) throws(FileError) -> [UInt8] {
    var bytes: [UInt8] = []
    try read(range, into: &bytes)
    return bytes
  }

  /// Reads exactly the bytes of `range` in place of the buffer's, which keeps its storage if it has
  /// the right size already.
  public func read(_ range: Range<Int>, into buffer: inout [UInt8]) throws(FileError) {
    guard range.lowerBound >= 0, range.upperBound <= byteCount else {
      throw FileError(
        path,
        .endsBefore(offset: range.lowerBound, expected: range.count, available: byteCount))
    }
    var failure: FileError?
    if buffer.count == range.count {
      // The storage is valid for the call.
      unsafe buffer.withUnsafeMutableBytes { failure = unsafe fill($0, from: range.lowerBound) }
    } else {
      // The storage needs no zeros: either all of it is read, or none of it is the buffer's.
      unsafe buffer = [UInt8](unsafeUninitializedCapacity: range.count) { storage, count in
        failure = unsafe fill(UnsafeMutableRawBufferPointer(storage), from: range.lowerBound)
        count = failure == nil ? storage.count : 0
      }
    }
    if let failure { throw failure }
  }

  /// Reads bytes of the file, from an offset on, until the storage is full.
  ///
  /// - Returns: what kept it from that.
  private func fill(_ storage: UnsafeMutableRawBufferPointer, from offset: Int) -> FileError? {
    var done = 0
    while done < storage.count {
      // `done` is inside the storage.
      let count = unsafe pread(
        descriptor, storage.baseAddress?.advanced(by: done), storage.count - done, offset + done)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return .system(path, .read(offset + done)) }
      guard count > 0 else { return FileError(path, .becameShorter(offset: offset + done)) }
      done += count
    }
    return nil
  }

  public static func exists(_ path: String) -> Bool {
    // The string is valid for the call.
    unsafe access(path, F_OK) == 0
  }
}
