// SPDX-License-Identifier: Apache-2.0

/// Where a document's bytes go: a file, a pipe, a test's buffer.
public protocol ByteSink: AnyObject {
  /// Takes all of `bytes`.
  func write(_ bytes: [UInt8]) throws(OutputError)
}

/// Output that could not be delivered.
public enum OutputError: Error, Hashable, Sendable {
  /// Nobody reads any more, such as `head` after its last line. Not a fault of ours.
  case closed
  /// The result is as long as it may be; see `WorkPart.output`.
  case spent
  /// The operating system refused the bytes; the text says where and why.
  case failed(String)
}

extension OutputError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .closed: "the reader of the output has gone"
    case .spent: "the result is as long as it may be"
    case .failed(let what): what
    }
  }
}

/// A sink that keeps everything: for tests and for small documents.
public final class MemorySink: ByteSink {
  public private(set) var bytes: [UInt8] = []

  public init() {}

  public func write(_ bytes: [UInt8]) throws(OutputError) {
    self.bytes += bytes
  }

  public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Gathers small pieces of text and hands them to a sink in chunks.
final class TextBuffer {
  private static let chunk = 1 << 16

  private let sink: any ByteSink
  private var pending: [UInt8] = []

  init(_ sink: any ByteSink) {
    self.sink = sink
  }

  func write(_ text: String) throws(OutputError) {
    pending += text.utf8
    if pending.count >= Self.chunk { try flush() }
  }

  func flush() throws(OutputError) {
    guard !pending.isEmpty else { return }
    try sink.write(pending)
    pending.removeAll(keepingCapacity: true)
  }
}
