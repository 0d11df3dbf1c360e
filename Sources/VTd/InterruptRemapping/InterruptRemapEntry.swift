// SPDX-License-Identifier: Apache-2.0

public import Memory

/// An entry of the interrupt remapping table, in remapped or in posted format.
///
/// Source: VT-d specification, sections 9.9 (remapped) and 9.10 (posted). 16 bytes, index = handle
/// plus subhandle.
///
///     remapped
///     127     84 83 82 81 80 79   64 63    32 31 24 23 16 15 14 12 11  8 7 5  4  3  2   1   0
///    | reserved | SVT | SQ  |  SID  |  DST   | rsvd|  V  |IM| rsvd|AVAIL|DLM|TM|RH|DM|FPD| P |
///     posted
///     127  96 95 84 83 82 81 80 79   64 63  38 37 24 23 16 15  14 13 12 11  8 7    2   1   0
///    | PDAH  | rsvd| SVT | SQ  |  SID  | PDAL | rsvd|  V  |IM|URG| rsvd |AVAIL| rsvd |FPD| P |
public struct InterruptRemapEntry: TableEntry {
  public var raw: SIMD2<UInt64>

  public init(words: [UInt64]) { raw = SIMD2(padding: words) }
  public var words: [UInt64] { raw.array }
  public static let bitCount = 128

  /// The remapped format; `fields` is the one that the entry itself has.
  public static var layout: [BitField] { remappedLayout }

  public static let remappedLayout: [BitField] = [
    BitField("P", 0, "present"),
    BitField("FPD", 1, "fault processing disable"),
    BitField("DM", 2, "destination mode: 0 physical, 1 logical"),
    BitField("RH", 3, "redirection hint"),
    BitField("TM", 4, "trigger mode: 0 edge, 1 level"),
    BitField("DLM", 5...7, "delivery mode"),
    BitField("AVAIL", 8...11, "free for software"),
    .reserved(12...14),
    BitField("IM", 15, "mode: 0 remapped, 1 posted"),
    BitField("V", 16...23, "vector"),
    .reserved(24...31),
    BitField("DST", 32...63, "destination APIC id; bits 47:40 alone in xAPIC mode"),
    BitField("SID", 64...79, "source id"),
    BitField("SQ", 80...81, "source id qualifier: function bits that are not compared"),
    BitField("SVT", 82...83, "source validation: 0 none, 1 source id, 2 bus range"),
    .reserved(84...127),
  ]

  public static let postedLayout: [BitField] = [
    BitField("P", 0, "present"),
    BitField("FPD", 1, "fault processing disable"),
    .reserved(2...7),
    BitField("AVAIL", 8...11, "free for software"),
    .reserved(12...13),
    BitField("URG", 14, "urgent"),
    BitField("IM", 15, "mode: 0 remapped, 1 posted"),
    BitField("V", 16...23, "vector"),
    .reserved(24...37),
    .address("PDAL", 38...63, "posted descriptor address, bits 31:6", shift: 6),
    BitField("SID", 64...79, "source id"),
    BitField("SQ", 80...81, "source id qualifier: function bits that are not compared"),
    BitField("SVT", 82...83, "source validation: 0 none, 1 source id, 2 bus range"),
    .reserved(84...95),
    .address("PDAH", 96...127, "posted descriptor address, bits 63:32", shift: 32),
  ]

  private static let remappedMask = reservedMask
  private static let postedMask = EntryMask(
    postedLayout.lazy.filter { $0.role == .reserved }, wordCount: wordCount)
  private static let postedHigh = EntryMask(
    postedLayout.lazy.filter { $0.name == "PDAH" }, wordCount: wordCount)
  /// DST without bits 47:40, the APIC id in xAPIC mode.
  private static let wideDestination = EntryMask(
    [.reserved(32...39), .reserved(48...63)], wordCount: wordCount)

  /// The layout of the format that IM says.
  public var fields: [BitField] { isPosted ? Self.postedLayout : Self.remappedLayout }

  public var isPresent: Bool { raw.bit(0) }
  public var faultProcessingDisabled: Bool { raw.bit(1) }
  public var isLogicalDestination: Bool { raw.bit(2) }
  public var redirectionHint: Bool { raw.bit(3) }
  public var isLevelTriggered: Bool { raw.bit(4) }
  public var deliveryMode: UInt8 { UInt8(raw.bits(5...7)) }
  public var available: UInt8 { UInt8(raw.bits(8...11)) }
  public var isUrgent: Bool { raw.bit(14) }
  public var isPosted: Bool { raw.bit(15) }
  public var vector: UInt8 { UInt8(raw.bits(16...23)) }
  /// DST as it stands: an APIC id in x2APIC mode.
  public var destination: UInt32 { UInt32(raw.bits(32...63)) }
  /// DST, bits 47:40: the APIC id in xAPIC mode.
  public var destinationXAPIC: UInt8 { UInt8(raw.bits(40...47)) }
  public var sourceID: UInt16 { UInt16(raw.bits(64...79)) }
  public var sourceQualifier: UInt8 { UInt8(raw.bits(80...81)) }
  /// SVT: 0 none, 1 source id with qualifier, 2 bus range, 3 reserved.
  public var sourceValidation: UInt8 { UInt8(raw.bits(82...83)) }
  /// PDAH and PDAL of a posted entry; a multiple of 64.
  public var postedDescriptor: PhysicalAddress {
    PhysicalAddress(raw.bits(96...127) << 32 | raw.bits(38...63) << 6)
  }

  /// The reserved bits that are set, by the format that IM says.
  ///
  /// - Parameters:
  ///   - unit: bounds the posted descriptor's address.
  ///   - x2APIC: whether destinations have 32 bits (EIME); otherwise only bits 47:40 may be set.
  /// - Returns: the bits as a mask of two words.
  public func reservedBits(_ unit: UnitCapabilities, x2APIC: Bool) -> EntryMask {
    guard isPosted else {
      return set(x2APIC ? Self.remappedMask : Self.remappedMask.union(Self.wideDestination))
    }
    // PDAH stands in place: bits 63:32 of the address are bits 127:96 of the entry.
    return set(Self.postedMask.union(unit.beyondHostAddressWidth(Self.postedHigh)))
  }

  /// Whether a request of `source` passes the entry's source validation.
  ///
  /// - Returns: `nil` for the reserved validation type, on which hardware faults.
  public func accepts(source: UInt16) -> Bool? {
    switch sourceValidation {
    case 0: return true
    case 1:
      // SQ leaves out function bit 2, bits 2:1, or bits 2:0.
      let ignored: UInt16 = [0, 0b100, 0b110, 0b111][Int(sourceQualifier)]
      return (source ^ sourceID) & ~ignored == 0
    case 2:
      // The source id holds the first bus in bits 15:8 and the last one in bits 7:0.
      return (sourceID >> 8...max(sourceID >> 8, sourceID & 0xff)).contains(source >> 8)
        && sourceID >> 8 <= sourceID & 0xff
    default: return nil
    }
  }
}
