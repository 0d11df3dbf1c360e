// SPDX-License-Identifier: Apache-2.0

public import Memory

/// PGTT of a PASID entry: which tables a request is looked up in.
public struct PASIDTranslationType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public var rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let firstStage = Self(rawValue: 1)
  public static let secondStage = Self(rawValue: 2)
  public static let nested = Self(rawValue: 3)
  public static let passThrough = Self(rawValue: 4)

  public var description: String {
    switch self {
    case .firstStage: "first-stage"
    case .secondStage: "second-stage"
    case .nested: "nested"
    case .passThrough: "pass-through"
    default: "reserved (\(rawValue))"
    }
  }
}

/// An entry of a PASID table: the address space of one PASID.
///
/// Source: VT-d specification, section 9.6. 64 bytes, 64 per table, index = PASID & 63.
///
///      63            12 11 10  9  8   6  5  4  2  1   0
///    | SSPTPTR         | rsvd|SAD| PGTT |SEE| AW |FPD| P |
///     127        96 95 94 93  91 90 89 88 87 86   80 79    64
///    | PAT         |CD|WT| EMT |EM|CD|PG|PW| rsvd   |  DID   |
///     191           140 139 136 135    132 131 130 129 128
///    | FSPTPTR         |  rsvd | EA SM NX WP | FSPM |ERE|SRE|
public struct PASIDEntry: TableEntry {
  public var raw: SIMD8<UInt64>

  public init(words: [UInt64]) { raw = SIMD8(padding: words) }
  public var words: [UInt64] { raw.array }
  public static let bitCount = 512

  public static let layout: [BitField] = [
    BitField("P", 0, "present"),
    BitField("FPD", 1, "fault processing disable"),
    BitField("AW", 2...4, "second-stage address width: levels minus 2"),
    BitField("SSEE", 5, "second-stage execute enable"),
    BitField("PGTT", 6...8, "1 first-stage, 2 second-stage, 3 nested, 4 pass-through"),
    BitField("SSADE", 9, "second-stage accessed and dirty enable"),
    .reserved(10...11),
    .address("SSPTPTR", 12...63, "second-stage table pointer"),
    BitField("DID", 64...79, "domain-id"),
    .reserved(80...86),
    BitField("PWSNP", 87, "page walks snoop"),
    BitField("PGSNP", 88, "all pages snoop"),
    BitField("CD", 89, "cache disable"),
    BitField("EMTE", 90, "extended memory type enable"),
    BitField("EMT", 91...93, "extended memory type"),
    BitField("PWT", 94, "page-level write-through"),
    BitField("PCD", 95, "page-level cache disable"),
    BitField("PAT", 96...127, "page attribute table"),
    BitField("SRE", 128, "supervisor requests enable"),
    BitField("ERE", 129, "execute requests enable"),
    BitField("FSPM", 130...131, "first-stage paging mode: 0 four levels, 1 five"),
    BitField("WPE", 132, "write protect enable"),
    BitField("NXE", 133, "no-execute enable"),
    BitField("SMEP", 134, "supervisor mode execute prevention"),
    BitField("EAFE", 135, "extended accessed flag enable"),
    .reserved(136...139),
    .address("FSPTPTR", 140...191, "first-stage table pointer"),
    .reserved(192...511),
  ]

  private static let fixed = reservedMask
  private static let firstPointer = mask(of: "FSPTPTR")
  private static let secondPointer = mask(of: "SSPTPTR")

  public var isPresent: Bool { raw.bit(0) }
  public var faultProcessingDisabled: Bool { raw.bit(1) }
  /// AW, 0 to 7.
  public var addressWidth: UInt8 { UInt8(raw.bits(2...4)) }
  /// AW + 2, whether or not the unit supports it.
  public var secondStageLevels: Int { Int(addressWidth) + 2 }
  public var secondStageExecuteEnable: Bool { raw.bit(5) }
  /// PGTT: reserved values stay visible.
  public var translationType: PASIDTranslationType { .init(rawValue: UInt8(raw.bits(6...8))) }
  public var secondStageAccessedDirtyEnable: Bool { raw.bit(9) }
  /// SSPTPTR: page-aligned.
  public var secondStageTable: PhysicalAddress { PhysicalAddress(raw[0] & ~0xfff) }
  public var domainID: UInt16 { UInt16(raw.bits(64...79)) }
  public var pageWalkSnoop: Bool { raw.bit(87) }
  public var pageSnoop: Bool { raw.bit(88) }
  public var supervisorRequestEnable: Bool { raw.bit(128) }
  public var executeRequestEnable: Bool { raw.bit(129) }
  /// FSPM, 0 to 3; 2 and 3 are reserved.
  public var firstStagePagingMode: UInt8 { UInt8(raw.bits(130...131)) }
  /// FSPM + 4, also for the reserved values.
  public var firstStageLevels: Int { Int(firstStagePagingMode) + 4 }
  public var writeProtectEnable: Bool { raw.bit(132) }
  public var noExecuteEnable: Bool { raw.bit(133) }
  /// FSPTPTR: page-aligned; a guest physical address if the translation is nested.
  public var firstStageTable: PhysicalAddress { PhysicalAddress(raw[2] & ~0xfff) }

  /// The reserved bits that are set.
  ///
  /// A pointer that the translation type does not use is not looked at.
  public func reservedBits(_ unit: UnitCapabilities) -> EntryMask {
    switch translationType {
    case .firstStage: set(Self.fixed.union(unit.beyondHostAddressWidth(Self.firstPointer)))
    case .secondStage, .nested:
      set(Self.fixed.union(unit.beyondHostAddressWidth(Self.secondPointer)))
    default: set(Self.fixed)
    }
  }

  /// The fields whose value this unit does not allow in a present entry.
  public func violations(_ unit: UnitCapabilities) -> [FieldViolation] {
    var result: [FieldViolation] = []
    let features = unit.extendedCapability
    let type = translationType
    func missing(_ feature: String) {
      result.append(.init("PGTT", UInt64(type.rawValue), "the unit has no \(feature)"))
    }
    switch type {
    case .firstStage:
      if !features.firstStage { missing("first-stage translation (ECAP.FSTS)") }
    case .secondStage:
      if !features.secondStage { missing("second-stage translation (ECAP.SSTS)") }
    case .nested:
      if !features.nesting { missing("nested translation (ECAP.NEST)") }
    case .passThrough:
      if !features.passThrough { missing("pass-through (ECAP.PT)") }
    default:
      result.append(.init("PGTT", UInt64(type.rawValue), "reserved"))
    }
    if type == .secondStage || type == .nested,
      !unit.capability.supports(levels: secondStageLevels)
    {
      result.append(.init("AW", UInt64(addressWidth), "not in the unit's SAGAW"))
    }
    if type == .firstStage || type == .nested {
      if firstStagePagingMode > 1 {
        result.append(.init("FSPM", UInt64(firstStagePagingMode), "reserved"))
      } else if firstStagePagingMode == 1, !unit.capability.firstStage5Level {
        result.append(.init("FSPM", 1, "the unit has no 5-level first stage (CAP.FS5LP)"))
      }
      if supervisorRequestEnable, !features.supervisorRequests {
        result.append(.init("SRE", 1, "the unit has no supervisor requests (ECAP.SRS)"))
      }
      if executeRequestEnable, !features.executeRequests {
        result.append(.init("ERE", 1, "the unit has no execute requests (ECAP.ERS)"))
      }
    }
    if secondStageAccessedDirtyEnable, type == .secondStage || type == .nested,
      !features.secondStageAccessedDirty
    {
      result.append(.init("SSADE", 1, "the unit has no such flags (ECAP.SSADS)"))
    }
    if Int(domainID) >= unit.capability.domainCount {
      result.append(
        .init("DID", UInt64(domainID), "the unit has \(unit.capability.domainCount) domain-ids"))
    }
    return result
  }
}
