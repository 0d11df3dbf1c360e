// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization

/// Bytes that come one after the other: a pipe, standard input, a file whose size nobody knows.
///
/// What was looked at in advance is not lost for whoever reads next.
public final class ByteInput: Sendable {
  /// As the caller named it.
  public let path: String
  private let descriptor: Int32
  private let isOwned: Bool
  private let state = Mutex(State())

  private struct State {
    /// Bytes that were read and that nobody has taken yet.
    var ahead: [UInt8] = []
    var isAtEnd = false
    /// Bytes that were taken.
    var position = 0
  }

  /// Bytes that one call reads at most.
  public static let chunk = 1 << 16

  /// The process's standard input, which can be read once.
  public static let standard = ByteInput(STDIN_FILENO, path: "standard input", isOwned: false)

  private init(_ descriptor: Int32, path: String, isOwned: Bool) {
    self.descriptor = descriptor
    self.path = path
    self.isOwned = isOwned
  }

  /// Opens a pipe with a name, or a file, at its start.
  ///
  /// - Throws: `FileError` with the system's reason; `nobodyWrites` for a pipe without a writer.
  public convenience init(_ path: String) throws(FileError) {
    // Without O_NONBLOCK the open itself would wait for a writer. The path is a terminated string
    // for the length of the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system(path, .open) }
    self.init(descriptor, path: path, isOwned: true)
    guard FileKind(descriptor) == .pipe else { return }
    // Until somebody has opened the other end, a read would find the end at once.
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // `wait` is one valid record.
    guard unsafe poll(&wait, 1, Self.patience) > 0 else { throw FileError(path, .nobodyWrites) }
  }

  /// Reads an open file on from where it stands.
  ///
  /// - Parameter file: stays open for as long as this object.
  public convenience init(reading file: InputFile) throws(FileError) {
    let copy = fcntl(file.descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw .system(file.path, .open) }
    lseek(copy, 0, SEEK_SET)
    self.init(copy, path: file.path, isOwned: true)
  }

  /// Milliseconds that a pipe without a writer is waited for.
  private static let patience: Int32 = 2000

  deinit { if isOwned { close(descriptor) } }

  /// What the descriptor leads to.
  public var kind: FileKind { FileKind(descriptor) }

  /// Bytes that were taken so far.
  public var position: Int { state.withLock { $0.position } }

  /// The next `count` bytes, without taking them; fewer only at the end.
  public func peek(_ count: Int) throws(FileError) -> [UInt8] {
    try locked { state throws(FileError) in
      while state.ahead.count < count, !state.isAtEnd { try fill(&state) }
      return Array(state.ahead.prefix(count))
    }
  }

  /// The next bytes, some 64 KiB at most; none at the end.
  public func next() throws(FileError) -> [UInt8] {
    try locked { state throws(FileError) in
      if state.ahead.isEmpty, !state.isAtEnd { try fill(&state) }
      let bytes = state.ahead
      state.ahead = []
      state.position += bytes.count
      return bytes
    }
  }

  private func locked<R>(_ body: (inout State) throws(FileError) -> R) throws(FileError) -> R {
    let result: Result<R, FileError> = state.withLock { state in
      do throws(FileError) { return .success(try body(&state)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  private func fill(_ state: inout State) throws(FileError) {
    var failure: Int32 = 0
    // As many bytes are initialised as `count` says.
    let chunk = unsafe [UInt8](unsafeUninitializedCapacity: Self.chunk) { buffer, count in
      while true {
        // The buffer has room for as many bytes as it says.
        let read = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        if read >= 0 {
          count = read
          return
        }
        switch errno {
        case EINTR: continue
        case EAGAIN:
          var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
          // `wait` is one valid record.
          _ = unsafe poll(&wait, 1, -1)
        case let code:
          failure = code
          return
        }
      }
    }
    guard failure == 0 else {
      throw FileError(
        path, .system(.read(state.position + state.ahead.count), SystemError(failure)))
    }
    if chunk.isEmpty { state.isAtEnd = true }
    if state.ahead.isEmpty { state.ahead = chunk } else { state.ahead += chunk }
  }
}

/// What a path or a descriptor leads to.
public enum FileKind: Hashable, Sendable {
  case regular
  case folder
  /// A pipe, with or without a name, or a socket.
  case pipe
  case blockDevice
  /// A terminal or another character device.
  case device

  init?(_ mode: mode_t) {
    switch mode & S_IFMT {
    case S_IFREG: self = .regular
    case S_IFDIR: self = .folder
    case S_IFIFO, S_IFSOCK: self = .pipe
    case S_IFBLK: self = .blockDevice
    default: self = .device
    }
  }

  /// What is at `path`; `nil` where nothing is.
  public static func of(_ path: String) -> FileKind? {
    var status = stat()
    // `status` is a valid place for the result, the path a terminated string.
    guard unsafe stat(path, &status) == 0 else { return nil }
    return FileKind(status.st_mode)
  }

  init(_ descriptor: Int32) {
    var status = stat()
    // `status` is a valid place for the result.
    self =
      unsafe fstat(descriptor, &status) == 0 ? FileKind(status.st_mode) ?? .device : .device
  }
}
