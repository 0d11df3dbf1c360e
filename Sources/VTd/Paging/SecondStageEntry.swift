// SPDX-License-Identifier: Apache-2.0

public import Memory
import RemappingState

/// An entry of a second-stage table.
///
/// There is no present bit: an entry is present if it grants reading or writing. A page that only
/// execution is granted for counts as not present here, because no request of a PCI device executes.
///
/// Source: VT-d specification, section 9.8. 8 bytes, 512 per table.
///
///      63  62 61  52 51            12 11 10  9  8  7 6      3 2  1  0
///    |IGN| R| IGN   |     ADDR       |SN|IG| D| A|PS| EMT IP | X| W| R|
public struct SecondStageEntry: TableEntry, RawRepresentable {
  public var rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(words: [UInt64]) { rawValue = words.first ?? 0 }
  public var words: [UInt64] { [rawValue] }
  public static let bitCount = 64

  /// What entries of every level have in common; `layout(level:isLeaf:)` has one level's.
  public static let layout: [BitField] = layout(level: nil, isLeaf: true)

  /// The layout of entries at one level, of a table or of a page.
  ///
  /// - TM (62) was defined by revisions up to 3.1 for units with device TLBs and is reserved since;
  ///   neither Linux nor any other system that we know of sets it.
  /// - PS (7) is not looked at in entries of level 1, which can be nothing but pages.
  ///
  /// Source: VT-d specification, revisions 3.2 and later, section 9.8; QEMU,
  /// hw/i386/intel_iommu_internal.h, `VTD_SPTE_PAGE_L1_RSVD_MASK` and those that follow.
  public static func layout(level: Int?, isLeaf: Bool) -> [BitField] {
    let type: BitField =
      switch (level, isLeaf) {
      case (1, _): .ignored(7...7)
      case (4, _), (5, _): .reserved(7...7)
      default: BitField("PS", 7, "maps a page at levels 2 and 3")
      }
    let low: [BitField] =
      [
        BitField("R", 0, "read"),
        BitField("W", 1, "write"),
        BitField("X", 2, "execute"),
      ]
      + (isLeaf
        ? [
          BitField("EMT", 3...5, "extended memory type of a leaf, if enabled"),
          BitField("IPAT", 6, "ignore PAT in a leaf, if enabled"),
        ] : [.ignored(3...6)]) + [
        type,
        BitField("A", 8, "accessed, if enabled"),
        isLeaf ? BitField("D", 9, "dirty, if enabled") : .ignored(9...9),
        .ignored(10...10),
        isLeaf ? BitField("SNP", 11, "snoop, in leaves of units that have it") : .reserved(11...11),
      ]
    return low + Stage.addressFields(level: level, isLeaf: isLeaf, from: 12) + [
      .ignored(52...61),
      .reserved(62...62),
      .ignored(63...63),
    ]
  }

  public var isPresent: Bool { rawValue & 3 != 0 }
  public var access: PagingAccess { PagingAccess(entry: rawValue) }
  public var pageSize: Bool { rawValue[bit: 7] }
  public var accessed: Bool { rawValue[bit: 8] }
  public var dirty: Bool { rawValue[bit: 9] }
  public var snoop: Bool { rawValue[bit: 11] }
  /// ADDR, bits 51:12 in place.
  public var address: PhysicalAddress { PhysicalAddress(rawValue & 0xf_ffff_ffff_f000) }

  /// The reserved bits that are set in a present entry of a table at `level`, 1 being the last.
  ///
  /// With `nil` for the unit only those bits count that no unit allows. SNP counts as in legacy mode.
  public func reservedBits(level: Int, unit: UnitCapabilities?) -> EntryMask {
    EntryMask([PagingRules(stage: .second, unit: unit).reservedBits(rawValue, level: level)])
  }
}
