// SPDX-License-Identifier: Apache-2.0

public import Memory

/// An entry of a root table in legacy mode: where the context table of one bus is.
///
/// Source: VT-d specification, section 9.1. 16 bytes, 256 per table, index = bus.
///
///     127              64 63              12 11       1   0
///    |     reserved      |       CTP        | reserved  | P |
public struct RootEntry: TableEntry {
  public var raw: SIMD2<UInt64>

  public init(words: [UInt64]) { raw = SIMD2(padding: words) }
  public var words: [UInt64] { raw.array }
  public static let bitCount = 128

  public static let layout: [BitField] = [
    BitField("P", 0, "present"),
    .reserved(1...11),
    .address("CTP", 12...63, "context table pointer"),
    .reserved(64...127),
  ]

  private static let fixed = reservedMask
  private static let pointer = mask(of: "CTP")

  public var isPresent: Bool { raw.bit(0) }
  /// CTP: page-aligned.
  public var contextTable: PhysicalAddress { PhysicalAddress(raw[0] & ~0xfff) }

  /// The reserved bits that are set.
  public func reservedBits(_ unit: UnitCapabilities) -> EntryMask {
    set(Self.fixed.union(unit.beyondHostAddressWidth(Self.pointer)))
  }
}
