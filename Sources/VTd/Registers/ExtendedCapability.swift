// SPDX-License-Identifier: Apache-2.0

public import Memory

/// The extended capability register, ECAP_REG: optional features of a remapping unit.
///
/// Source: VT-d specification, section 11.4.3; bits 24, 27 and 28 from revisions 2.x, where extended
/// context mode was defined. 64 bits at offset 0x10.
public struct ExtendedCapability: TableEntry, RawRepresentable {
  public var rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public init(words: [UInt64]) { rawValue = words.first ?? 0 }
  public var words: [UInt64] { [rawValue] }
  public static let bitCount = 64

  public static let layout: [BitField] = [
    BitField("C", 0, "page walks snoop processor caches"),
    BitField("QI", 1, "queued invalidation"),
    BitField("DT", 2, "device TLBs"),
    BitField("IR", 3, "interrupt remapping"),
    BitField("EIM", 4, "32-bit APIC ids"),
    .reserved(5...5),
    BitField("PT", 6, "pass-through"),
    BitField("SC", 7, "snoop control in second-stage leaves"),
    BitField("IRO", 8...17, "offset of the IOTLB registers in 16-byte units"),
    .reserved(18...19),
    BitField("MHMV", 20...23, "maximum handle mask of an interrupt invalidation"),
    BitField("ECS", 24, "extended context entries, deprecated"),
    BitField("MTS", 25, "memory types"),
    BitField("NEST", 26, "nested translation"),
    BitField("DIS", 27, "deferred invalidation, deprecated"),
    BitField("PASID28", 28, "PASID of early parts, deprecated"),
    BitField("PRS", 29, "page requests"),
    BitField("ERS", 30, "execute requests"),
    BitField("SRS", 31, "supervisor requests"),
    .reserved(32...32),
    BitField("NWFS", 33, "no-write flag"),
    BitField("EAFS", 34, "extended accessed flag"),
    BitField("PSS", 35...39, "PASID bits minus 1"),
    BitField("PASID", 40, "process address space ids"),
    BitField("DIT", 41, "device-TLB invalidation throttle"),
    BitField("PDS", 42, "page-request drain"),
    BitField("SMTS", 43, "scalable mode"),
    BitField("VCS", 44, "virtual commands"),
    BitField("SSADS", 45, "second-stage accessed and dirty flags"),
    BitField("SSTS", 46, "second-stage translation in scalable mode"),
    BitField("FSTS", 47, "first-stage translation in scalable mode"),
    BitField("SMPWCS", 48, "page walks snoop in scalable mode"),
    BitField("RPS", 49, "RID_PASID"),
    .reserved(50...50),
    BitField("PMS", 51, "performance monitoring"),
    BitField("ADMS", 52, "abort-DMA mode"),
    BitField("RPRIVS", 53, "RID_PRIV"),
    .reserved(54...63),
  ]

  public var pageWalkCoherency: Bool { rawValue[bit: 0] }
  public var queuedInvalidation: Bool { rawValue[bit: 1] }
  public var deviceTLB: Bool { rawValue[bit: 2] }
  public var interruptRemapping: Bool { rawValue[bit: 3] }
  public var extendedInterruptMode: Bool { rawValue[bit: 4] }
  public var passThrough: Bool { rawValue[bit: 6] }
  public var snoopControl: Bool { rawValue[bit: 7] }
  /// Bytes from the register base to the IOTLB registers.
  public var iotlbRegisterOffset: Int { Int(rawValue[bits: 8...17]) * 16 }
  public var maximumHandleMask: Int { Int(rawValue[bits: 20...23]) }
  public var extendedContext: Bool { rawValue[bit: 24] }
  public var memoryTypes: Bool { rawValue[bit: 25] }
  public var nesting: Bool { rawValue[bit: 26] }
  public var pageRequests: Bool { rawValue[bit: 29] }
  public var executeRequests: Bool { rawValue[bit: 30] }
  public var supervisorRequests: Bool { rawValue[bit: 31] }
  public var extendedAccessedFlag: Bool { rawValue[bit: 34] }
  /// PSS + 1: bits of a PASID, 1 to 32; at most 20 mean something.
  public var pasidBits: Int { Int(rawValue[bits: 35...39]) + 1 }
  public var pasid: Bool { rawValue[bit: 40] }
  public var scalableMode: Bool { rawValue[bit: 43] }
  public var secondStageAccessedDirty: Bool { rawValue[bit: 45] }
  public var secondStage: Bool { rawValue[bit: 46] }
  public var firstStage: Bool { rawValue[bit: 47] }
  public var scalablePageWalkCoherency: Bool { rawValue[bit: 48] }
  public var requesterPASID: Bool { rawValue[bit: 49] }
  public var abortDMAMode: Bool { rawValue[bit: 52] }
  public var requesterPrivilege: Bool { rawValue[bit: 53] }
}
