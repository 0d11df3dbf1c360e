// SPDX-License-Identifier: Apache-2.0

public import Memory

/// An entry of a root table in scalable or extended mode: two context tables for one bus.
///
/// Source: VT-d specification, section 9.2. 16 bytes, 256 per table, index = bus. Each half has the
/// layout of a legacy entry's low word.
///
///     127              76 75      65  64 63              12 11       1   0
///    |      UCTP         | reserved | UP|       LCTP       | reserved  | LP|
public struct ScalableRootEntry: TableEntry {
  public var raw: SIMD2<UInt64>

  public init(words: [UInt64]) { raw = SIMD2(padding: words) }
  public var words: [UInt64] { raw.array }
  public static let bitCount = 128

  public static let layout: [BitField] = [
    BitField("LP", 0, "lower table present"),
    .reserved(1...11),
    .address("LCTP", 12...63, "lower context table pointer, devices 0 to 15"),
    BitField("UP", 64, "upper table present"),
    .reserved(65...75),
    .address("UCTP", 76...127, "upper context table pointer, devices 16 to 31"),
  ]

  private static let fixed = reservedMask
  private static let pointers = mask(of: "LCTP").union(mask(of: "UCTP"))

  public var isLowerPresent: Bool { raw.bit(0) }
  /// LCTP: page-aligned; for devfn 0x00 to 0x7f.
  public var lowerContextTable: PhysicalAddress { PhysicalAddress(raw[0] & ~0xfff) }
  public var isUpperPresent: Bool { raw.bit(64) }
  /// UCTP: page-aligned; for devfn 0x80 to 0xff.
  public var upperContextTable: PhysicalAddress { PhysicalAddress(raw[1] & ~0xfff) }

  /// The reserved bits that are set; a half that is not present has none.
  public func reservedBits(_ unit: UnitCapabilities) -> EntryMask {
    let found = set(Self.fixed.union(unit.beyondHostAddressWidth(Self.pointers))).words
    return EntryMask([isLowerPresent ? found[0] : 0, isUpperPresent ? found[1] : 0])
  }

  /// The reserved bits that are set in the half of the entry that serves `devfn`.
  public func reservedBits(_ unit: UnitCapabilities, devfn: UInt8) -> EntryMask {
    let found = reservedBits(unit).words
    return EntryMask(devfn < 0x80 ? [found[0], 0] : [0, found[1]])
  }
}
