// SPDX-License-Identifier: Apache-2.0

public import Memory
import RemappingState

/// An entry of a first-stage table: x86 paging with 4 or 5 levels.
///
/// Source: VT-d specification, section 9.7. 8 bytes, 512 per table.
///
///      63 62   52 51            12 11 10  9  8  7  6  5  4   3  2  1  0
///    |XD|  IGN   |     ADDR       |IG|EA| IGN |PS| D| A|PCD|PWT|US|RW| P|
public struct FirstStageEntry: TableEntry, RawRepresentable {
  public var rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(words: [UInt64]) { rawValue = words.first ?? 0 }
  public var words: [UInt64] { [rawValue] }
  public static let bitCount = 64

  /// What entries of every level have in common; `layout(level:isLeaf:)` has one level's.
  public static let layout: [BitField] = layout(level: nil, isLeaf: true)

  /// The layout of entries at one level, of a table or of a page.
  ///
  /// XD (63) is never taken for reserved. The specification has it so while the PASID entry's NXE is
  /// clear, but Linux 5.6 to 6.1 set it in all leaves without NXE (`__domain_mapping`,
  /// drivers/iommu/intel/iommu.c; NXE since commit e06d24435596) and the hardware in the field, as
  /// QEMU, translates such leaves.
  ///
  /// Source: VT-d specification, section 9.7; QEMU, hw/i386/intel_iommu.c, `vtd_fpte_rsvd`.
  public static func layout(level: Int?, isLeaf: Bool) -> [BitField] {
    let type: BitField =
      switch (level, isLeaf) {
      case (1, _): BitField("PAT", 7, "page attribute table index")
      case (4, _), (5, _): .reserved(7...7)
      default: BitField("PS", 7, "maps a page at levels 2 and 3; PAT at level 1")
      }
    var fields: [BitField] = [
      BitField("P", 0, "present"),
      BitField("RW", 1, "writable"),
      BitField("US", 2, "accessible to requests with user privilege"),
      BitField("PWT", 3, "write-through"),
      BitField("PCD", 4, "cache disable"),
      BitField("A", 5, "accessed"),
      isLeaf ? BitField("D", 6, "dirty, in leaves") : .ignored(6...6),
      type,
      isLeaf ? BitField("G", 8, "global, in leaves") : .ignored(8...8),
      .ignored(9...9),
      BitField("EA", 10, "extended accessed"),
      .ignored(11...11),
    ]
    let hasPAT = isLeaf && (level == 2 || level == 3)
    if hasPAT { fields.append(BitField("PAT", 12, "page attribute table index")) }
    return fields
      + Stage.addressFields(level: level, isLeaf: isLeaf, from: hasPAT ? 13 : 12) + [
        .ignored(52...62),
        BitField("XD", 63, "execute disable"),
      ]
  }

  public var isPresent: Bool { rawValue[bit: 0] }
  public var isWritable: Bool { rawValue[bit: 1] }
  public var isUser: Bool { rawValue[bit: 2] }
  public var access: PagingAccess { isPresent ? PagingAccess(entry: rawValue) : [] }
  public var accessed: Bool { rawValue[bit: 5] }
  public var dirty: Bool { rawValue[bit: 6] }
  public var pageSize: Bool { rawValue[bit: 7] }
  public var executeDisable: Bool { rawValue[bit: 63] }
  /// ADDR, bits 51:12 in place.
  public var address: PhysicalAddress { PhysicalAddress(rawValue & 0xf_ffff_ffff_f000) }

  /// The reserved bits that are set in a present entry of a table at `level`, 1 being the last.
  ///
  /// With `nil` for the unit only those bits count that no unit allows.
  public func reservedBits(level: Int, unit: UnitCapabilities?) -> EntryMask {
    EntryMask([PagingRules(stage: .first, unit: unit).reservedBits(rawValue, level: level)])
  }
}
