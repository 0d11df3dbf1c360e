// SPDX-License-Identifier: Apache-2.0

/// A growing file image with little-endian stores at any offset.
public struct ByteWriter: Sendable {
  public private(set) var bytes: [UInt8] = []

  public init() {}

  public var count: Int { bytes.count }

  /// Makes the image at least `count` bytes long.
  public mutating func grow(to count: Int) {
    if count > bytes.count { bytes += [UInt8](repeating: 0, count: count - bytes.count) }
  }

  /// Pads with zeros to a multiple of `alignment`.
  public mutating func align(_ alignment: Int) {
    grow(to: (bytes.count + alignment - 1) / alignment * alignment)
  }

  public mutating func append(_ more: [UInt8]) { bytes += more }

  public mutating func append<T: FixedWidthInteger>(_ value: T) {
    for index in 0..<T.bitWidth / 8 {
      bytes.append(UInt8(truncatingIfNeeded: value >> (8 * T(index))))
    }
  }

  public mutating func store(_ more: [UInt8], at offset: Int) {
    grow(to: offset + more.count)
    bytes.replaceSubrange(offset..<offset + more.count, with: more)
  }

  public mutating func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    grow(to: offset + T.bitWidth / 8)
    for index in 0..<T.bitWidth / 8 {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * T(index)))
    }
  }
}
