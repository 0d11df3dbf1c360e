// SPDX-License-Identifier: Apache-2.0

public import Memory

/// An entry of a PASID directory: the table of 64 consecutive PASIDs.
///
/// Source: VT-d specification, section 9.5. 8 bytes, index = PASID >> 6.
public struct PASIDDirectoryEntry: TableEntry, RawRepresentable {
  public var rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(words: [UInt64]) { rawValue = words.first ?? 0 }
  public var words: [UInt64] { [rawValue] }
  public static let bitCount = 64

  public static let layout: [BitField] = [
    BitField("P", 0, "present"),
    BitField("FPD", 1, "fault processing disable"),
    .reserved(2...11),
    .address("SMPTBLPTR", 12...63, "PASID table pointer"),
  ]

  private static let fixed = reservedMask
  private static let pointer = mask(of: "SMPTBLPTR")

  public var isPresent: Bool { rawValue[bit: 0] }
  public var faultProcessingDisabled: Bool { rawValue[bit: 1] }
  /// SMPTBLPTR: page-aligned.
  public var pasidTable: PhysicalAddress { PhysicalAddress(rawValue & ~0xfff) }

  /// The reserved bits that are set.
  public func reservedBits(_ unit: UnitCapabilities) -> EntryMask {
    set(Self.fixed.union(unit.beyondHostAddressWidth(Self.pointer)))
  }
}
