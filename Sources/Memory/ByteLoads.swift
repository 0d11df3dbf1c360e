// SPDX-License-Identifier: Apache-2.0

/// Bytes were asked for that the buffer does not have.
public struct BoundsError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Offset in bytes from the start of the buffer.
  public var offset: Int
  public var expected: Int
  public var available: Int

  public init(offset: Int, expected: Int, available: Int) {
    self.offset = offset
    self.expected = expected
    self.available = available
  }

  public var description: String {
    "expected \(expected) bytes at offset \(offset), have \(available)"
  }
}

extension RawSpan {
  /// Loads a little-endian integer from any offset; no alignment is needed.
  @inlinable
  public func littleEndian<T>(
    at offset: Int, as type: T.Type = T.self
  ) throws(BoundsError) -> T
  where T: FixedWidthInteger & BitwiseCopyable {
    let size = MemoryLayout<T>.size
    guard offset >= 0, size <= byteCount, offset <= byteCount - size else {
      throw BoundsError(
        offset: offset, expected: size, available: max(0, byteCount - max(0, offset)))
    }
    // Bounds were checked above and every bit pattern is a valid T.
    return unsafe T(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
  }

  /// Copies `count` bytes from `offset` on.
  @inlinable
  public func copy(at offset: Int, count: Int) throws(BoundsError) -> [UInt8] {
    guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else {
      throw BoundsError(
        offset: offset, expected: count, available: max(0, byteCount - max(0, offset)))
    }
    // The range was checked above.
    return unsafe withUnsafeBytes { unsafe [UInt8]($0[offset..<offset + count]) }
  }

  /// Appends `count` bytes from `offset` on, which must lie in the span, to an array.
  @inlinable
  public func append(_ offset: Int, _ count: Int, to array: inout [UInt8]) {
    precondition(offset >= 0 && count >= 0 && count <= byteCount && offset <= byteCount - count)
    // The range was checked above.
    unsafe withUnsafeBytes { unsafe array.append(contentsOf: $0[offset..<offset + count]) }
  }
}

extension Array where Element == UInt8 {
  /// Loads a little-endian integer from any offset; no alignment is needed.
  @inlinable
  public func littleEndian<T>(
    at offset: Int, as type: T.Type = T.self
  ) throws(BoundsError) -> T
  where T: FixedWidthInteger & BitwiseCopyable {
    let size = MemoryLayout<T>.size
    guard offset >= 0, size <= count, offset <= count - size else {
      throw BoundsError(offset: offset, expected: size, available: Swift.max(0, count - offset))
    }
    // Bounds were checked above and every bit pattern is a valid T.
    return unsafe withUnsafeBytes {
      unsafe T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
  }
}
