// SPDX-License-Identifier: Apache-2.0

public import Memory

/// The capability register, CAP_REG: limits of a remapping unit.
///
/// Source: VT-d specification, section 11.4.2. 64 bits at offset 0x8.
public struct Capability: TableEntry, RawRepresentable {
  public var rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public init(words: [UInt64]) { rawValue = words.first ?? 0 }
  public var words: [UInt64] { [rawValue] }
  public static let bitCount = 64

  public static let layout: [BitField] = [
    BitField("ND", 0...2, "domain-ids supported: 2^(4 + 2·ND)"),
    BitField("AFL", 3, "advanced fault logging"),
    BitField("RWBF", 4, "write buffers must be flushed by software"),
    BitField("PLMR", 5, "protected low-memory region"),
    BitField("PHMR", 6, "protected high-memory region"),
    BitField("CM", 7, "caching mode: not-present entries may be cached"),
    BitField("SAGAW", 8...12, "supported second-stage widths, bit n for n + 2 levels"),
    .reserved(13...15),
    BitField("MGAW", 16...21, "maximum guest address width minus 1"),
    BitField("ZLR", 22, "zero-length reads of write-only pages"),
    BitField("ISOCH", 23, "isochrony, deprecated"),
    BitField("FRO", 24...33, "offset of the fault records in 16-byte units"),
    BitField("SSLPS", 34...37, "second-stage large pages: bit 34 2 MiB, bit 35 1 GiB"),
    .reserved(38...38),
    BitField("PSI", 39, "page-selective invalidation"),
    BitField("NFR", 40...47, "fault records minus 1"),
    BitField("MAMV", 48...53, "maximum address mask of an invalidation"),
    BitField("DWD", 54, "write draining"),
    BitField("DRD", 55, "read draining"),
    BitField("FS1GP", 56, "first-stage 1 GiB pages"),
    .reserved(57...58),
    BitField("PI", 59, "posted interrupts"),
    BitField("FS5LP", 60, "first-stage 5-level paging"),
    BitField("ECMDS", 61, "enhanced commands"),
    BitField("ESIRTPS", 62, "enhanced set-interrupt-root-table-pointer"),
    BitField("ESRTPS", 63, "enhanced set-root-table-pointer"),
  ]

  /// Number of domain-ids, 2^(4 + 2·ND): 16 to 65,536, and 262,144 for the reserved ND of 7.
  public var domainCount: Int { 1 << (4 + 2 * Int(rawValue[bits: 0...2])) }
  public var advancedFaultLogging: Bool { rawValue[bit: 3] }
  public var requiredWriteBufferFlushing: Bool { rawValue[bit: 4] }
  public var protectedLowMemory: Bool { rawValue[bit: 5] }
  public var protectedHighMemory: Bool { rawValue[bit: 6] }
  public var cachingMode: Bool { rawValue[bit: 7] }
  /// SAGAW: bit n stands for n + 2 levels: 1 = 39, 2 = 48, 3 = 57 bits.
  public var supportedAddressWidths: UInt8 { UInt8(rawValue[bits: 8...12]) }
  /// MGAW + 1: bits of the widest address a device may use, 1 to 64.
  public var maximumGuestAddressWidth: Int { Int(rawValue[bits: 16...21]) + 1 }
  public var zeroLengthRead: Bool { rawValue[bit: 22] }
  /// Bytes from the register base to the fault records.
  public var faultRecordOffset: Int { Int(rawValue[bits: 24...33]) * 16 }
  /// SSLPS: bit 0 stands for 2 MiB, bit 1 for 1 GiB.
  public var secondStageLargePages: UInt8 { UInt8(rawValue[bits: 34...37]) }
  public var secondStage2MiB: Bool { rawValue[bit: 34] }
  public var secondStage1GiB: Bool { rawValue[bit: 35] }
  public var pageSelectiveInvalidation: Bool { rawValue[bit: 39] }
  /// NFR + 1.
  public var faultRecordCount: Int { Int(rawValue[bits: 40...47]) + 1 }
  public var maximumAddressMask: Int { Int(rawValue[bits: 48...53]) }
  public var writeDraining: Bool { rawValue[bit: 54] }
  public var readDraining: Bool { rawValue[bit: 55] }
  public var firstStage1GiB: Bool { rawValue[bit: 56] }
  public var postedInterrupts: Bool { rawValue[bit: 59] }
  public var firstStage5Level: Bool { rawValue[bit: 60] }

  /// Whether second-stage tables of `levels` levels may be used (SAGAW).
  public func supports(levels: Int) -> Bool {
    (2...6).contains(levels) && supportedAddressWidths >> UInt8(levels - 2) & 1 != 0
  }

  /// Levels of the deepest second-stage table that the unit supports, or `nil` if SAGAW is empty.
  public var maximumLevels: Int? {
    (2...6).last { supports(levels: $0) }
  }
}
