// SPDX-License-Identifier: Apache-2.0

public import Memory

/// An entry of a context table in legacy mode: how a PCI function reaches its domain.
///
/// Source: VT-d specification, section 9.3. 16 bytes, 256 per table, index = devfn.
///
///     127       88 87    72 71 70  67 66  64 63       12 11    4 3  2  1   0
///    | reserved   |  DID   |R |  IGN  |  AW  | SSPTPTR   | rsvd  | TT |FPD| P |
public struct ContextEntry: TableEntry {
  public var raw: SIMD2<UInt64>

  public init(words: [UInt64]) { raw = SIMD2(padding: words) }
  public var words: [UInt64] { raw.array }
  public static let bitCount = 128

  public static let layout: [BitField] = [
    BitField("P", 0, "present"),
    BitField("FPD", 1, "fault processing disable"),
    BitField("TT", 2...3, "translation type: 0, 1 second-stage, 2 pass-through"),
    .reserved(4...11),
    .address("SSPTPTR", 12...63, "second-stage table pointer"),
    BitField("AW", 64...66, "address width: levels minus 2"),
    .ignored(67...70),
    .reserved(71...71),
    BitField("DID", 72...87, "domain-id"),
    .reserved(88...127),
  ]

  private static let fixed = reservedMask
  private static let pointer = mask(of: "SSPTPTR")

  public var isPresent: Bool { raw.bit(0) }
  public var faultProcessingDisabled: Bool { raw.bit(1) }
  /// TT: the reserved value 3 stays visible.
  public var translationType: TranslationType { .init(rawValue: UInt8(raw.bits(2...3))) }
  /// SSPTPTR: page-aligned; not looked at in pass-through.
  public var secondStageTable: PhysicalAddress { PhysicalAddress(raw[0] & ~0xfff) }
  /// AW, 0 to 7.
  public var addressWidth: UInt8 { UInt8(raw.bits(64...66)) }
  /// AW + 2, whether or not the unit supports it.
  public var levels: Int { Int(addressWidth) + 2 }
  public var domainID: UInt16 { UInt16(raw.bits(72...87)) }

  /// The reserved bits that are set.
  public func reservedBits(_ unit: UnitCapabilities) -> EntryMask {
    translationType == .passThrough
      ? set(Self.fixed) : set(Self.fixed.union(unit.beyondHostAddressWidth(Self.pointer)))
  }

  /// The fields whose value this unit does not allow in a present entry.
  public func violations(_ unit: UnitCapabilities) -> [FieldViolation] {
    var result: [FieldViolation] = []
    let type = UInt64(translationType.rawValue)
    switch translationType {
    case .secondStage, .secondStageDeviceTLB:
      if translationType == .secondStageDeviceTLB, !unit.extendedCapability.deviceTLB {
        result.append(.init("TT", type, "the unit has no device-TLB support (ECAP.DT)"))
      }
      if !unit.capability.supports(levels: levels) {
        result.append(.init("AW", UInt64(addressWidth), "not in the unit's SAGAW"))
      }
    case .passThrough:
      if !unit.extendedCapability.passThrough {
        result.append(.init("TT", type, "the unit has no pass-through (ECAP.PT)"))
      }
      // Which width is the largest one cannot be told of a unit that is not known.
      if unit == .permissive {
        if !unit.capability.supports(levels: levels) {
          result.append(.init("AW", UInt64(addressWidth), "no unit has this width"))
        }
      } else if let deepest = unit.capability.maximumLevels, levels != deepest {
        result.append(
          .init("AW", UInt64(addressWidth), "pass-through needs the largest width of SAGAW"))
      }
    default:
      result.append(.init("TT", type, "reserved"))
    }
    if Int(domainID) >= unit.capability.domainCount {
      result.append(
        .init("DID", UInt64(domainID), "the unit has \(unit.capability.domainCount) domain-ids"))
    }
    return result
  }
}
