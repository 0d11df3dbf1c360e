// SPDX-License-Identifier: Apache-2.0

public import Memory

/// An entry of a context table in extended mode, which revisions 3.0 and later no longer have.
///
/// Source: VT-d specification, revision 2.4, section 9.4. 32 bytes, 128 per table, index = devfn
/// without its top bit; the lower table serves devfn 0x00 to 0x7f.
public struct ExtendedContextEntry: TableEntry {
  public var raw: SIMD4<UInt64>

  public init(words: [UInt64]) { raw = SIMD4(padding: words) }
  public var words: [UInt64] { raw.array }
  public static let bitCount = 256

  public static let layout: [BitField] = [
    BitField("P", 0, "present"),
    BitField("FPD", 1, "fault processing disable"),
    BitField("T", 2...4, "translation type: 0, 1 second-stage, 2, 4, 5 pass-through"),
    BitField("EMT", 5...7, "extended memory type"),
    BitField("DINVE", 8, "deferred invalidation enable"),
    BitField("PRE", 9, "page request enable"),
    BitField("NESTE", 10, "nesting enable"),
    BitField("PASIDE", 11, "PASID enable"),
    .address("SLPTPTR", 12...63, "second-stage table pointer"),
    BitField("AW", 64...66, "address width: levels minus 2"),
    BitField("PGE", 67, "page global enable"),
    BitField("NXE", 68, "no-execute enable"),
    BitField("WPE", 69, "write protect enable"),
    BitField("CD", 70, "cache disable"),
    BitField("EMTE", 71, "extended memory type enable"),
    BitField("DID", 72...87, "domain-id"),
    BitField("SMEP", 88, "supervisor mode execute protection"),
    BitField("EAFE", 89, "extended accessed flag enable"),
    BitField("ERE", 90, "execute requests enable"),
    BitField("SLEE", 91, "second-stage execute enable"),
    .reserved(92...95),
    BitField("PAT", 96...127, "page attribute table"),
    BitField("PTS", 128...131, "PASID table size"),
    .reserved(132...139),
    .address("PASIDPTR", 140...191, "PASID table pointer"),
    .reserved(192...203),
    .address("PASIDSTPTR", 204...255, "PASID state table pointer"),
  ]

  private static let fixed = reservedMask
  private static let pointer = mask(of: "SLPTPTR")
  private static let pasidPointers = mask(of: "PASIDPTR").union(mask(of: "PASIDSTPTR"))

  public var isPresent: Bool { raw.bit(0) }
  public var faultProcessingDisabled: Bool { raw.bit(1) }
  /// T: reserved values stay visible.
  public var translationType: TranslationType { .init(rawValue: UInt8(raw.bits(2...4))) }
  public var pageRequestEnable: Bool { raw.bit(9) }
  public var nestingEnable: Bool { raw.bit(10) }
  public var pasidEnable: Bool { raw.bit(11) }
  /// SLPTPTR: page-aligned.
  public var secondStageTable: PhysicalAddress { PhysicalAddress(raw[0] & ~0xfff) }
  public var addressWidth: UInt8 { UInt8(raw.bits(64...66)) }
  /// AW + 2, whether or not the unit supports it.
  public var levels: Int { Int(addressWidth) + 2 }
  public var domainID: UInt16 { UInt16(raw.bits(72...87)) }
  public var pasidTableSize: UInt8 { UInt8(raw.bits(128...131)) }
  /// PASIDPTR: page-aligned.
  public var pasidTable: PhysicalAddress { PhysicalAddress(raw[2] & ~0xfff) }
  /// PASIDSTPTR: page-aligned.
  public var pasidStateTable: PhysicalAddress { PhysicalAddress(raw[3] & ~0xfff) }

  /// The reserved bits that are set.
  public func reservedBits(_ unit: UnitCapabilities) -> EntryMask {
    var mask = Self.fixed
    if translationType != .passThrough {
      mask = mask.union(unit.beyondHostAddressWidth(Self.pointer))
    }
    if pasidEnable { mask = mask.union(unit.beyondHostAddressWidth(Self.pasidPointers)) }
    return set(mask)
  }

  /// The fields whose value this unit does not allow in a present entry.
  public func violations(_ unit: UnitCapabilities) -> [FieldViolation] {
    var result: [FieldViolation] = []
    let features = unit.extendedCapability
    let type = UInt64(translationType.rawValue)
    switch translationType {
    case .secondStage, .secondStageDeviceTLB:
      if !unit.capability.supports(levels: levels) {
        result.append(.init("AW", UInt64(addressWidth), "not in the unit's SAGAW"))
      }
    case .passThrough, .guest, .guestDeviceTLB:
      if !features.passThrough {
        result.append(.init("T", type, "the unit has no pass-through (ECAP.PT)"))
      }
    default:
      result.append(.init("T", type, "reserved"))
    }
    if translationType == .secondStageDeviceTLB || translationType == .guestDeviceTLB,
      !features.deviceTLB
    {
      result.append(.init("T", type, "the unit has no device-TLB support (ECAP.DT)"))
    }
    if nestingEnable, !features.nesting {
      result.append(.init("NESTE", 1, "the unit has no nested translation (ECAP.NEST)"))
    }
    if pasidEnable, !features.pasid, !features.rawValue[bit: 28] {
      result.append(.init("PASIDE", 1, "the unit has no PASID support (ECAP.PASID)"))
    }
    if pageRequestEnable, !features.pageRequests {
      result.append(.init("PRE", 1, "the unit has no page requests (ECAP.PRS)"))
    }
    if Int(domainID) >= unit.capability.domainCount {
      result.append(
        .init("DID", UInt64(domainID), "the unit has \(unit.capability.domainCount) domain-ids"))
    }
    return result
  }
}
