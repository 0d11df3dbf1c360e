// SPDX-License-Identifier: Apache-2.0

internal import Files

/// Bytes in order, wherever they come from.
protocol ByteStream: AnyObject {
  /// The next bytes; none at the end.
  func next() throws(InputError) -> [UInt8]

  /// Why the bytes end before they should, once they have.
  var damage: String? { get }
}

/// The bytes of a file or a pipe.
final class RawStream: ByteStream {
  private let input: ByteInput

  init(_ input: ByteInput) { self.input = input }

  var damage: String? { nil }

  func next() throws(InputError) -> [UInt8] {
    do {
      return try input.next()
    } catch {
      throw InputError(error)
    }
  }
}

/// A stream whose next bytes can be looked at before they are taken.
final class PeekedStream: ByteStream {
  private let base: any ByteStream
  private var ahead: [UInt8] = []
  private var isAtEnd = false

  init(_ base: any ByteStream) { self.base = base }

  var damage: String? { base.damage }

  /// The next `count` bytes, fewer only at the end; they stay to be taken.
  func peek(_ count: Int) throws(InputError) -> [UInt8] {
    while ahead.count < count, !isAtEnd {
      let bytes = try base.next()
      isAtEnd = bytes.isEmpty
      ahead += bytes
    }
    return Array(ahead.prefix(count))
  }

  func next() throws(InputError) -> [UInt8] { try next(atMost: .max) }

  /// The next bytes, `limit` at most, which is positive; none at the end.
  func next(atMost limit: Int) throws(InputError) -> [UInt8] {
    if ahead.isEmpty, !isAtEnd {
      ahead = try base.next()
      isAtEnd = ahead.isEmpty
    }
    guard ahead.count > limit else {
      defer { ahead = [] }
      return ahead
    }
    defer { ahead.removeFirst(limit) }
    return Array(ahead[..<limit])
  }
}

/// What is inside a wrapper.
///
/// Streams that follow each other in one file are one: parallel packers write many. What ends early or
/// turns out to be damaged ends here, with the reason in `damage`, unless nothing came out before.
final class UnwrappedStream: ByteStream {
  private let name: String
  private let source: PeekedStream
  private let wrapper: Wrapper
  private let decoder: any StreamDecoder
  private let limit: Int
  private var input: [UInt8] = []
  private var position = 0
  private var produced = 0
  private var hasEnded = false
  private(set) var damage: String?

  private static let chunk = 1 << 16

  /// - Parameters:
  ///   - name: for messages.
  ///   - limit: bytes that may come out.
  /// - Throws: where the library is missing.
  init(
    _ source: PeekedStream, _ wrapper: Wrapper, name: String, limit: Int
  ) throws(InputError) {
    guard let decoder = wrapper.decoder() else { throw InputError(name, .noLibrary(wrapper)) }
    self.name = name
    self.source = source
    self.wrapper = wrapper
    self.decoder = decoder
    self.limit = limit
  }

  func next() throws(InputError) -> [UInt8] {
    while !hasEnded {
      if position == input.count {
        input = try source.next()
        position = 0
      }
      let isLast = input.isEmpty
      let (bytes, step) = try decode(isLast: isLast)
      position += step.consumed
      produced += bytes.count
      guard produced <= limit else { throw InputError(name, .unpacksTooFar(limit: limit)) }
      if step.isEnd {
        try beginNextStream()
      } else if isLast, bytes.isEmpty {
        try end("they end early" + (source.damage.map { "; \($0)" } ?? ""))
      }
      if !bytes.isEmpty { return bytes }
    }
    return []
  }

  private func decode(isLast: Bool) throws(InputError) -> ([UInt8], DecoderStep) {
    var step = DecoderStep(consumed: 0, produced: 0, isEnd: false)
    var failure: DecoderFailure?
    // As many bytes are initialised as `count` says.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.chunk) { buffer, count in
      do throws(DecoderFailure) {
        step = unsafe try decoder.step(
          input, from: position, into: UnsafeMutableRawBufferPointer(buffer), isLast: isLast)
        // No decoder says that it wrote more than it was given room for.
        count = min(step.produced, buffer.count)
      } catch {
        failure = error
      }
    }
    if let failure { try end(failure.problem) }
    return (bytes, step)
  }

  private func beginNextStream() throws(InputError) {
    if position < input.count {
      // What is left begins the next stream, or is padding.
      let rest = Array(input[position...]) + (try source.peek(16))
      guard Wrapper(rest) == wrapper else {
        hasEnded = true
        return
      }
    } else {
      guard Wrapper(try source.peek(16)) == wrapper else {
        hasEnded = true
        return
      }
    }
    do {
      try decoder.restart()
    } catch {
      try end(error.problem)
    }
  }

  private func end(_ problem: String) throws(InputError) {
    hasEnded = true
    guard produced > 0 else { throw InputError(name, .damaged(wrapper, problem)) }
    damage =
      "the \(wrapper.rawValue) data around the dump are cut or damaged after \(produced) unpacked "
      + "bytes (\(problem)); what came out before is read"
  }
}
