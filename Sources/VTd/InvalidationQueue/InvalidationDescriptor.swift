// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Type of an invalidation descriptor: bits 11:9 above bits 3:0.
public struct InvalidationType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public var rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let contextCache = Self(rawValue: 1)
  public static let iotlb = Self(rawValue: 2)
  public static let deviceTLB = Self(rawValue: 3)
  public static let interruptEntryCache = Self(rawValue: 4)
  public static let wait = Self(rawValue: 5)
  public static let pasidIOTLB = Self(rawValue: 6)
  public static let pasidCache = Self(rawValue: 7)
  public static let pasidDeviceTLB = Self(rawValue: 8)
  public static let pageGroupResponse = Self(rawValue: 9)
  /// Revisions 2.x only.
  public static let pageStreamResponse = Self(rawValue: 10)

  public var description: String {
    switch self {
    case .contextCache: "context cache"
    case .iotlb: "IOTLB"
    case .deviceTLB: "device TLB"
    case .interruptEntryCache: "interrupt entry cache"
    case .wait: "wait"
    case .pasidIOTLB: "PASID-based IOTLB"
    case .pasidCache: "PASID cache"
    case .pasidDeviceTLB: "PASID-based device TLB"
    case .pageGroupResponse: "page group response"
    case .pageStreamResponse: "page stream response"
    default: "reserved (\(rawValue))"
    }
  }
}

/// A slot of the invalidation queue: a command to forget what caches hold, or a response.
///
/// Source: VT-d specification, section 6.5.2. 16 bytes, or 32 where the queue is that wide; the
/// upper half of the narrow ones is missing and reads as zero.
public struct InvalidationDescriptor: TableEntry {
  public var raw: SIMD4<UInt64>

  public init(words: [UInt64]) { raw = SIMD4(padding: words) }
  public var words: [UInt64] { raw.array }
  public static let bitCount = 256

  /// What all types have in common; `fields` is the layout of the descriptor's own type.
  public static let layout: [BitField] = [
    BitField("TYPE", 0...3, "type, low bits"),
    BitField("specific", 4...8, "by type"),
    BitField("TYPEH", 9...11, "type, high bits"),
    BitField("specific", 12...63, "by type"),
    BitField("specific", 64...127, "by type"),
    .reserved(128...191),
    .reserved(192...255),
  ]

  /// The layout of the type that the descriptor has.
  public var fields: [BitField] { Self.layout(of: type) }

  /// The layout of descriptors of one type; the common one for types that are not defined.
  public static func layout(of type: InvalidationType) -> [BitField] {
    layouts[type.rawValue] ?? layout
  }

  public var type: InvalidationType {
    // A page stream response has its PASID where newer types have TYPEH.
    let low = UInt8(raw.bits(0...3))
    guard low != InvalidationType.pageStreamResponse.rawValue else { return .pageStreamResponse }
    return .init(rawValue: UInt8(raw.bits(9...11)) << 4 | low)
  }

  /// G of context cache, IOTLB, PASID IOTLB and PASID cache, bits 5:4; bit 4 alone of the interrupt
  /// entry cache.
  ///
  /// - Context cache: 1 global, 2 domain, 3 device.
  /// - IOTLB: 1 global, 2 domain, 3 page.
  /// - Interrupt entry cache: 0 global, 1 index.
  /// - PASID IOTLB: 2 all of the PASID, 3 page.
  /// - PASID cache: 0 domain, 1 PASID, 3 global.
  public var granularity: UInt8 {
    type == .interruptEntryCache ? UInt8(raw.bits(4...4)) : UInt8(raw.bits(4...5))
  }

  /// DID, bits 31:16; `nil` for types that have none.
  public var domainID: UInt16? {
    switch type {
    case .contextCache, .iotlb, .pasidIOTLB, .pasidCache: UInt16(raw.bits(16...31))
    default: nil
    }
  }

  /// SID; `nil` for types that have none.
  public var sourceID: UInt16? {
    switch type {
    case .contextCache, .deviceTLB: UInt16(raw.bits(32...47))
    case .pasidDeviceTLB, .pageGroupResponse: UInt16(raw.bits(16...31))
    case .pageStreamResponse: UInt16(raw.bits(24...31)) << 8 | UInt16(raw.bits(68...75))
    default: nil
    }
  }

  /// PASID; `nil` for types that have none.
  public var pasid: UInt32? {
    switch type {
    case .pasidIOTLB, .pasidCache, .pasidDeviceTLB, .pageGroupResponse:
      UInt32(raw.bits(32...51))
    case .pageStreamResponse: UInt32(raw.bits(4...23))
    default: nil
    }
  }

  /// The page that an invalidation starts at; `nil` for types that have none.
  public var address: IOVirtualAddress? {
    switch type {
    case .iotlb, .deviceTLB, .pasidIOTLB, .pasidDeviceTLB, .pageStreamResponse:
      IOVirtualAddress(raw[1] & ~0xfff)
    default: nil
    }
  }

  /// AM: 2^AM pages are meant; `nil` for types that have none.
  public var addressMask: UInt8? {
    type == .iotlb || type == .pasidIOTLB ? UInt8(raw.bits(64...69)) : nil
  }

  /// IH: only leaves changed; `nil` for types that have none.
  public var invalidationHint: Bool? {
    type == .iotlb || type == .pasidIOTLB ? raw.bit(70) : nil
  }

  /// Interrupt entry cache: first index, and 2^mask of them; `nil` for other types.
  public var interruptIndices: (first: UInt16, mask: UInt8)? {
    type == .interruptEntryCache ? (UInt16(raw.bits(32...47)), UInt8(raw.bits(27...31))) : nil
  }

  /// Wait: where the status data goes, 4-byte aligned; `nil` unless SW is set.
  public var statusAddress: PhysicalAddress? {
    type == .wait && raw.bit(5) ? PhysicalAddress(raw[1] & ~3) : nil
  }

  /// Wait: what is written to the status address; `nil` for other types.
  public var statusData: UInt32? {
    type == .wait ? UInt32(raw.bits(32...63)) : nil
  }

  /// The reserved bits that are set, by type.
  public var reservedBits: EntryMask {
    EntryMask(fields.lazy.filter { $0.role == .reserved }, wordCount: 4).intersection(words)
  }

  private static let upper: [BitField] = [.reserved(128...191), .reserved(192...255)]
  private static let typeLow = BitField("TYPE", 0...3, "type, low bits")
  private static let typeHigh = BitField("TYPEH", 9...11, "type, high bits")
  private static let addressFields: [BitField] = [
    BitField("AM", 64...69, "address mask: 2^AM pages"),
    BitField("IH", 70, "only leaves changed"),
    .reserved(71...75),
    .address("ADDR", 76...127, "first page"),
  ]

  private static let layouts: [UInt8: [BitField]] = [
    InvalidationType.contextCache.rawValue: [
      typeLow,
      BitField("G", 4...5, "1 global, 2 domain, 3 device"),
      .reserved(6...8),
      typeHigh,
      .reserved(12...15),
      BitField("DID", 16...31, "domain-id"),
      BitField("SID", 32...47, "source id"),
      BitField("FM", 48...49, "function mask"),
      .reserved(50...63),
      .reserved(64...127),
    ] + upper,
    InvalidationType.iotlb.rawValue: [
      typeLow,
      BitField("G", 4...5, "1 global, 2 domain, 3 page"),
      BitField("DW", 6, "drain writes"),
      BitField("DR", 7, "drain reads"),
      .reserved(8...8),
      typeHigh,
      .reserved(12...15),
      BitField("DID", 16...31, "domain-id"),
      .reserved(32...63),
    ] + addressFields + upper,
    InvalidationType.deviceTLB.rawValue: [
      typeLow,
      .reserved(4...8),
      typeHigh,
      BitField("PFSIDL", 12...15, "source id of the physical function, bits 3:0"),
      BitField("MIP", 16...20, "invalidations that may be pending"),
      .reserved(21...31),
      BitField("SID", 32...47, "source id"),
      .reserved(48...51),
      BitField("PFSIDH", 52...63, "source id of the physical function, bits 15:4"),
      BitField("S", 64, "size: the lowest clear address bit tells how many pages"),
      .reserved(65...75),
      .address("ADDR", 76...127, "first page"),
    ] + upper,
    InvalidationType.interruptEntryCache.rawValue: [
      typeLow,
      BitField("G", 4, "0 global, 1 by index"),
      .reserved(5...8),
      typeHigh,
      .reserved(12...26),
      BitField("IM", 27...31, "index mask: 2^IM entries"),
      BitField("IIDX", 32...47, "first index"),
      .reserved(48...63),
      .reserved(64...127),
    ] + upper,
    InvalidationType.wait.rawValue: [
      typeLow,
      BitField("IF", 4, "raise the completion interrupt"),
      BitField("SW", 5, "write status"),
      BitField("FN", 6, "fence: later descriptors wait"),
      BitField("PD", 7, "drain page requests"),
      .reserved(8...8),
      typeHigh,
      .reserved(12...31),
      BitField("STDATA", 32...63, "status data"),
      .reserved(64...65),
      .address("STADDR", 66...127, "status address, bits 63:2"),
    ] + upper,
    InvalidationType.pasidIOTLB.rawValue: [
      typeLow,
      BitField("G", 4...5, "2 all of the PASID, 3 page"),
      .reserved(6...8),
      typeHigh,
      .reserved(12...15),
      BitField("DID", 16...31, "domain-id"),
      BitField("PASID", 32...51, "PASID"),
      .reserved(52...63),
    ] + addressFields + upper,
    InvalidationType.pasidCache.rawValue: [
      typeLow,
      BitField("G", 4...5, "0 domain, 1 PASID, 3 global"),
      .reserved(6...8),
      typeHigh,
      .reserved(12...15),
      BitField("DID", 16...31, "domain-id"),
      BitField("PASID", 32...51, "PASID"),
      .reserved(52...63),
      .reserved(64...127),
    ] + upper,
    InvalidationType.pasidDeviceTLB.rawValue: [
      typeLow,
      BitField("MIP", 4...8, "invalidations that may be pending"),
      typeHigh,
      BitField("PFSIDL", 12...15, "source id of the physical function, bits 3:0"),
      BitField("SID", 16...31, "source id"),
      BitField("PASID", 32...51, "PASID"),
      BitField("PFSIDH", 52...63, "source id of the physical function, bits 15:4"),
      BitField("G", 64, "of all PASIDs"),
      .reserved(65...74),
      BitField("S", 75, "size: the lowest clear address bit tells how many pages"),
      .address("ADDR", 76...127, "first page"),
    ] + upper,
    InvalidationType.pageGroupResponse.rawValue: [
      typeLow,
      BitField("PP", 4, "PASID present"),
      BitField("PDP", 5, "private data present"),
      .reserved(6...8),
      typeHigh,
      BitField("RC", 12...15, "response code"),
      BitField("RID", 16...31, "requester id"),
      BitField("PASID", 32...51, "PASID"),
      .reserved(52...63),
      .reserved(64...65),
      BitField("LPIG", 66, "last page in group"),
      BitField("PRGI", 67...75, "page request group index"),
      .reserved(76...127),
      BitField("PDATAL", 128...191, "private data, low"),
      BitField("PDATAH", 192...255, "private data, high"),
    ],
    // Revisions 2.x; Linux 4.18, include/linux/intel-iommu.h, QI_PSTRM_IDX and those that follow.
    InvalidationType.pageStreamResponse.rawValue: [
      typeLow,
      BitField("PASID", 4...23, "PASID"),
      BitField("BUS", 24...31, "requester's bus"),
      BitField("PRIV", 32...54, "private data"),
      BitField("PRGI", 55...63, "page request group index"),
      BitField("RC", 64...67, "response code"),
      BitField("DEVFN", 68...75, "requester's device and function"),
      .address("ADDR", 76...127, "page"),
    ] + upper,
  ]
}
