// SPDX-License-Identifier: Apache-2.0

public import Memory

/// An entry of a context table in scalable mode: the PASID directory of a PCI function.
///
/// Source: VT-d specification, section 9.4. 32 bytes, 128 per table, index = devfn without its top
/// bit; the lower table serves devfn 0x00 to 0x7f.
///
///     255    85  84  83        64 63           12 11  9 8  5  4   3   2   1   0
///    | reserved |RPR| RID_PASID  | PASIDDIRPTR   | PDTS|rsvd|PRE|PAE|DTE|FPD| P |
public struct ScalableContextEntry: TableEntry {
  public var raw: SIMD4<UInt64>

  public init(words: [UInt64]) { raw = SIMD4(padding: words) }
  public var words: [UInt64] { raw.array }
  public static let bitCount = 256

  public static let layout: [BitField] = [
    BitField("P", 0, "present"),
    BitField("FPD", 1, "fault processing disable"),
    BitField("DTE", 2, "device-TLB enable"),
    BitField("PASIDE", 3, "PASID enable"),
    BitField("PRE", 4, "page request enable"),
    .reserved(5...8),
    BitField("PDTS", 9...11, "PASID directory size: 2^(PDTS + 7) entries"),
    .address("PASIDDIRPTR", 12...63, "PASID directory pointer"),
    BitField("RID_PASID", 64...83, "PASID of requests without PASID"),
    BitField("RID_PRIV", 84, "privilege of requests without PASID, where the unit has RPRIVS"),
    .reserved(85...255),
  ]

  private static let fixed = reservedMask
  private static let pointer = mask(of: "PASIDDIRPTR")

  public var isPresent: Bool { raw.bit(0) }
  public var faultProcessingDisabled: Bool { raw.bit(1) }
  public var deviceTLBEnable: Bool { raw.bit(2) }
  public var pasidEnable: Bool { raw.bit(3) }
  public var pageRequestEnable: Bool { raw.bit(4) }
  /// PDTS, 0 to 7.
  public var pasidDirectorySize: UInt8 { UInt8(raw.bits(9...11)) }
  /// 2^(PDTS + 7): 128 to 16,384.
  ///
  /// Each entry stands for 64 PASIDs.
  public var pasidDirectoryEntryCount: Int { 1 << (Int(pasidDirectorySize) + 7) }
  /// PASIDDIRPTR: page-aligned.
  public var pasidDirectory: PhysicalAddress { PhysicalAddress(raw[0] & ~0xfff) }
  /// RID_PASID: the PASID under which requests without PASID are looked up, by units that have the
  /// field.
  public var requesterPASID: UInt32 { UInt32(raw.bits(64...83)) }
  public var requesterPrivilege: Bool { raw.bit(84) }

  /// The PASID under which this unit looks up requests without PASID.
  ///
  /// Units without the field use 0, whatever it holds (VT-d 3.4.3, ECAP.RPS in 11.4.3). Linux writes 0
  /// (`PASID_RID2PASID`, later `IOMMU_NO_PASID`), but up to v5.19 its mark of a copied entry, bit 67, is
  /// part of the field. QEMU, which has no RPS, read the field nevertheless in older releases.
  public func requesterPASID(_ unit: UnitCapabilities) -> UInt32 {
    unit.extendedCapability.requesterPASID ? requesterPASID : 0
  }

  /// The reserved bits that are set.
  public func reservedBits(_ unit: UnitCapabilities) -> EntryMask {
    set(Self.fixed.union(unit.beyondHostAddressWidth(Self.pointer)))
  }

  /// The fields whose value this unit does not allow in a present entry.
  ///
  /// RID_PASID is none of them where the unit does not look at it, and RID_PRIV never: Linux 5.4 sets it in every entry, whatever ECAP says
  /// (`context_set_sm_rid2pasid`, drivers/iommu/intel-iommu.c), 5.15 no longer does, and hardware
  /// translates both; QEMU leaves the bit out of its mask (`VTD_SM_CONTEXT_ENTRY_RSVD_VAL1`). Units
  /// without RPRIVS do not look at it.
  public func violations(_ unit: UnitCapabilities) -> [FieldViolation] {
    var result: [FieldViolation] = []
    let features = unit.extendedCapability
    if deviceTLBEnable, !features.deviceTLB {
      result.append(.init("DTE", 1, "the unit has no device-TLB support (ECAP.DT)"))
    }
    if pasidEnable, !features.pasid {
      result.append(.init("PASIDE", 1, "the unit has no PASID support (ECAP.PASID)"))
    }
    if pageRequestEnable, !features.pageRequests {
      result.append(.init("PRE", 1, "the unit has no page requests (ECAP.PRS)"))
    }
    if UInt64(requesterPASID(unit)) >= UInt64(pasidDirectoryEntryCount) * 64 {
      result.append(
        .init("RID_PASID", UInt64(requesterPASID), "beyond the PASID directory (PDTS)"))
    }
    return result
  }
}
