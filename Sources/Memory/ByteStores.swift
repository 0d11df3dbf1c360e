// SPDX-License-Identifier: Apache-2.0

extension Array where Element == UInt8 {
  /// Appends the bytes of `value`, least first.
  @inlinable
  public mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
    for shift in stride(from: 0, to: T.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> T(shift)))
    }
  }

  /// Appends zeros until the count is a multiple of `alignment`, a power of two.
  @inlinable
  public mutating func pad(to alignment: Int) {
    append(contentsOf: repeatElement(0, count: -count & (alignment - 1)))
  }
}
