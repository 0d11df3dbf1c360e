// SPDX-License-Identifier: Apache-2.0

/// A byte address in one of the address spaces of a crashed machine.
///
/// Each address space has its own type, so that an I/O virtual address cannot be passed where a
/// physical one is meant. Arithmetic reports overflow instead of wrapping: addresses come from
/// untrusted dumps.
public protocol Address: RawRepresentable, Hashable, Comparable, Sendable,
  CustomStringConvertible
where RawValue == UInt64 {
  init(rawValue: UInt64)
}

extension Address {
  @inlinable
  public init(_ rawValue: UInt64) {
    self.init(rawValue: rawValue)
  }

  @inlinable
  public static func < (a: Self, b: Self) -> Bool {
    a.rawValue < b.rawValue
  }

  /// The address `distance` bytes further on, or `nil` beyond the end of 64 bits.
  @inlinable
  public func advanced(by distance: UInt64) -> Self? {
    let (sum, overflow) = rawValue.addingReportingOverflow(distance)
    return overflow ? nil : Self(rawValue: sum)
  }

  /// The number of bytes from `other` to this address, or `nil` if `other` lies behind it.
  @inlinable
  public func distance(from other: Self) -> UInt64? {
    let (difference, overflow) = rawValue.subtractingReportingOverflow(other.rawValue)
    return overflow ? nil : difference
  }

  /// The number of the 4 KiB page that contains this address.
  @inlinable
  public var frame: UInt64 { rawValue >> 12 }

  /// The offset in bytes from the start of the 4 KiB page.
  @inlinable
  public var pageOffset: Int { Int(rawValue & 0xfff) }

  /// The start of the 4 KiB page that contains this address.
  @inlinable
  public var pageBase: Self { Self(rawValue: rawValue & ~0xfff) }

  /// `0x` and lower-case hexadecimal digits without padding.
  public var description: String { rawValue.hexadecimal }
}

/// A host physical address: what a memory controller sees.
public struct PhysicalAddress: Address {
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// A virtual address of the crashed kernel.
public struct KernelAddress: Address {
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// An I/O virtual address: what a device puts on the bus, before the remapping unit translates it.
public struct IOVirtualAddress: Address {
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
}
