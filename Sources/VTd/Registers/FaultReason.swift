// SPDX-License-Identifier: Apache-2.0

/// Why a unit refused a request: the FR field of a fault record, bits 103:96.
///
/// Any value is represented; those that no revision defines have no `condition`.
///
/// Source: VT-d specification, section 7.1.3 (DMA remapping) and section 7.1.4 (interrupt
/// remapping).
public struct FaultReason: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public init(_ rawValue: UInt8) { self.rawValue = rawValue }

  /// A condition that the specification defines.
  public struct Condition: Hashable, Sendable {
    /// The specification's name of the condition, or of the first of several with one code.
    public var name: String
    /// What happened: a sentence's core, lower case, no full stop.
    public var meaning: String
    /// Whether FPD in the entry that was used keeps such a fault from being recorded.
    public var isQualified: Bool
  }

  /// What the code means; `nil` for codes that no revision defines.
  public var condition: Condition? { Self.conditions[rawValue] }

  /// The meaning, or `unknown`.
  public var meaning: String { condition?.meaning ?? "unknown" }

  /// Codes of interrupt requests; all others are of DMA requests.
  public var isInterruptRemapping: Bool { 0x20...0x2f ~= rawValue }

  /// Codes that only units in scalable mode report.
  public var isScalableMode: Bool { rawValue >= 0x30 }

  /// All codes that are defined, ascending.
  public static var all: [FaultReason] { conditions.keys.sorted().map { FaultReason($0) } }

  // Legacy mode.
  public static let rootEntryNotPresent = FaultReason(0x1)
  public static let contextEntryNotPresent = FaultReason(0x2)
  public static let contextEntryInvalid = FaultReason(0x3)
  public static let beyondAddressWidth = FaultReason(0x4)
  public static let noWritePermission = FaultReason(0x5)
  public static let noReadPermission = FaultReason(0x6)
  public static let pagingEntryUnreachable = FaultReason(0x7)
  public static let rootTableUnreachable = FaultReason(0x8)
  public static let contextTableUnreachable = FaultReason(0x9)
  public static let rootEntryReservedBits = FaultReason(0xa)
  public static let contextEntryReservedBits = FaultReason(0xb)
  public static let pagingEntryReservedBits = FaultReason(0xc)
  public static let translationTypeBlocks = FaultReason(0xd)
  public static let interruptAddress = FaultReason(0xe)

  // Scalable mode, those that a check of the tables can come to.
  public static let scalableRootEntryNotPresent = FaultReason(0x39)
  public static let scalableContextEntryNotPresent = FaultReason(0x41)
  public static let pasidDirectoryEntryNotPresent = FaultReason(0x51)
  public static let pasidEntryNotPresent = FaultReason(0x59)
  public static let pasidEntryInvalid = FaultReason(0x5b)
  public static let firstStageNotPresent = FaultReason(0x71)
  public static let firstStageReservedBits = FaultReason(0x72)
  public static let secondStageNoPermission = FaultReason(0x79)
  public static let secondStageReservedBits = FaultReason(0x7a)
  public static let notCanonical = FaultReason(0x80)
  public static let scalableNoWritePermission = FaultReason(0x85)
  public static let scalableNoReadPermission = FaultReason(0x86)

  private static let conditions: [UInt8: Condition] = {
    var result: [UInt8: Condition] = [:]
    for (code, name, qualified, meaning) in table {
      result[code] = Condition(name: name, meaning: meaning, isQualified: qualified)
    }
    return result
  }()

  /// Code, name, whether FPD hides it, meaning.
  private static let table: [(UInt8, String, Bool, String)] = [
    (0x01, "LRT.2", false, "root entry is not present"),
    (0x02, "LCT.2", true, "context entry is not present"),
    (0x03, "LCT.4", true, "context entry is programmed in a way the unit does not support"),
    (0x04, "LGN.1", true, "address is beyond the width of the tables or of the unit (MGAW)"),
    (0x05, "LGN.2", true, "no write permission, or the page is not mapped"),
    (0x06, "LGN.3", true, "no read permission, or the page is not mapped"),
    (0x07, "LSL.1", true, "access to a second-stage table failed"),
    (0x08, "LRT.1", false, "access to the root table failed"),
    (0x09, "LCT.1", false, "access to the context table failed"),
    (0x0a, "LRT.3", false, "reserved bits are set in the root entry"),
    (0x0b, "LCT.3", false, "reserved bits are set in the context entry"),
    (0x0c, "LSL.2", true, "reserved bits are set in a second-stage entry"),
    (0x0d, "LCT.5", true, "the translation type of the context blocks this kind of request"),
    (0x0e, "LGN.4", true, "the address translates into the interrupt address range"),

    (0x20, "IR.1", false, "reserved bits are set in the interrupt request"),
    (0x21, "IR.2", false, "the index is beyond the interrupt remapping table"),
    (0x22, "IR.3", true, "interrupt remapping entry is not present"),
    (0x23, "IR.4", false, "access to the interrupt remapping table failed"),
    (0x24, "IR.5", true, "reserved bits are set in the interrupt remapping entry"),
    (0x25, "IR.6", false, "compatibility-format interrupt is blocked"),
    (0x26, "IR.7", true, "the source id is not the one that the entry demands"),
    (0x27, "IR.8", true, "access to the posted-interrupt descriptor failed"),
    (0x28, "IR.9", true, "reserved bits are set in the posted-interrupt descriptor"),
    (0x29, "IR.10", false, "interrupt request with an address type or PASID that is not allowed"),

    (0x30, "RTA.1", false, "root table address or translation table mode is invalid"),
    (0x31, "RTA.2", false, "request with PASID while the unit is in legacy mode"),
    (0x32, "RTA.3", false, "page request while the unit is in legacy mode"),
    (0x33, "RTA.4", false, "refused because of the root table address register"),
    (0x38, "SRT.1", false, "access to the root table failed"),
    (0x39, "SRT.2", false, "root entry is not present"),
    (0x3a, "SRT.3", false, "reserved bits are set in the root entry"),
    (0x40, "SCT.1", false, "access to the context table failed"),
    (0x41, "SCT.2", true, "context entry is not present"),
    (0x42, "SCT.3", true, "reserved bits are set in the context entry"),
    (0x43, "SCT.4", true, "context entry is programmed in a way the unit does not support"),
    (0x44, "SCT.5", true, "translation request, but device TLBs are not enabled (DTE)"),
    (0x45, "SCT.6", true, "request with PASID, but PASIDs are not enabled (PASIDE)"),
    (0x46, "SCT.7", true, "PASID is beyond the PASID directory (PDTS)"),
    (0x47, "SCT.8", true, "page request, but page requests are not enabled (PRE)"),
    (0x48, "SCT.9", true, "the PASID of requests without PASID is invalid (RID_PASID)"),
    (0x50, "SPD.1", false, "access to the PASID directory failed"),
    (0x51, "SPD.2", true, "PASID directory entry is not present"),
    (0x52, "SPD.3", true, "reserved bits are set in the PASID directory entry"),
    (0x58, "SPT.1", false, "access to the PASID table failed"),
    (0x59, "SPT.2", true, "PASID entry is not present"),
    (0x5a, "SPT.3", true, "reserved bits are set in the PASID entry"),
    (0x5b, "SPT.4", true, "PASID entry is programmed in a way the unit does not support"),
    (0x5c, "SPT.5", true, "execute request, but those are not enabled (ERE)"),
    (0x5d, "SPT.6", true, "supervisor request, but those are not enabled (SRE)"),
    (0x70, "SFS.1", true, "access to a first-stage table failed"),
    (0x71, "SFS.2", true, "first-stage entry is not present"),
    (0x72, "SFS.3", true, "reserved bits are set in a first-stage entry"),
    (0x73, "SFS.4", true, "access to the top first-stage table failed (FSPTPTR)"),
    (0x74, "SFS.5", true, "nested: a first-stage address is beyond the second stage's width"),
    (0x75, "SFS.6", true, "nested: no read permission for the top first-stage table"),
    (0x76, "SFS.7", true, "nested: no read permission for a first-stage table"),
    (0x77, "SFS.8", true, "nested: no write permission for a first-stage table"),
    (0x78, "SSS.1", true, "access to a second-stage table failed"),
    (0x79, "SSS.2", true, "no permission in a second-stage entry, or it is not present"),
    (0x7a, "SSS.3", true, "reserved bits are set in a second-stage entry"),
    (0x7b, "SSS.4", true, "access to the top second-stage table failed (SSPTPTR)"),
    (0x7c, "SSS.5", true, "second-stage accessed or dirty flag needs a write without snooping"),
    (0x7d, "SSS.6", true, "update of a second-stage accessed or dirty flag failed"),
    (0x80, "SGN.1", true, "first-stage address is not canonical"),
    (0x81, "SGN.2", true, "user request for a supervisor page (US is 0)"),
    (0x82, "SGN.3", true, "no execute permission"),
    (0x83, "SGN.4", true, "address is beyond the width of the unit (MGAW)"),
    (0x84, "SGN.5", true, "address is beyond the width of the second-stage tables"),
    (0x85, "SGN.6", true, "no write permission"),
    (0x86, "SGN.7", true, "no read permission"),
    (0x87, "SGN.8", true, "the address lies in or translates into the interrupt address range"),
    (0x88, "SGN.9", true, "general condition 9 of the specification"),
    (0x89, "SGN.10", true, "general condition 10 of the specification"),
    (0x90, "SFS.9", true, "first-stage accessed or dirty flag needs a write without snooping"),
    (0x91, "SFS.10", true, "update of a first-stage accessed or dirty flag failed"),
  ]
}

extension FaultReason: CustomStringConvertible {
  public var description: String {
    let digits = String(rawValue, radix: 16)
    return "0x\(digits) (\(condition.map { "\($0.name): \($0.meaning)" } ?? "unknown"))"
  }
}
