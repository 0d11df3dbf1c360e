// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A descriptor of the page request queue: a device asks for a page.
///
/// Source: VT-d specification, section 7.4.1.1; `struct page_req_dsc` of drivers/iommu/intel/prq.c.
/// 32 bytes; the upper half is private data of the device.
public struct PageRequestDescriptor: TableEntry {
  public var raw: SIMD4<UInt64>

  public init(words: [UInt64]) { raw = SIMD4(padding: words) }
  public var words: [UInt64] { raw.array }
  public static let bitCount = 256

  public static let layout: [BitField] = [
    BitField("TYPE", 0...7, "1: page request"),
    BitField("PP", 8, "PASID present"),
    BitField("PDP", 9, "private data present"),
    .reserved(10...15),
    BitField("RID", 16...31, "source id"),
    BitField("PASID", 32...51, "PASID"),
    BitField("EXE", 52, "execute requested"),
    BitField("PMR", 53, "privileged"),
    .reserved(54...63),
    BitField("RD", 64, "read requested"),
    BitField("WR", 65, "write requested"),
    BitField("LPIG", 66, "last page in group"),
    BitField("PRGI", 67...75, "page request group"),
    BitField("ADDR", 76...127, "page"),
    BitField("PRIVL", 128...191, "private data"),
    BitField("PRIVH", 192...255, "private data"),
  ]

  public var type: UInt8 { UInt8(raw.bits(0...7)) }
  public var hasPASID: Bool { raw.bit(8) }
  public var sourceID: UInt16 { UInt16(raw.bits(16...31)) }
  /// `nil` for a request without PASID.
  public var pasid: UInt32? { hasPASID ? UInt32(raw.bits(32...51)) : nil }
  public var isExecute: Bool { raw.bit(52) }
  public var isPrivileged: Bool { raw.bit(53) }
  public var isRead: Bool { raw.bit(64) }
  public var isWrite: Bool { raw.bit(65) }
  public var isLastInGroup: Bool { raw.bit(66) }
  public var group: UInt16 { UInt16(raw.bits(67...75)) }
  public var address: IOVirtualAddress { IOVirtualAddress(raw[1] & ~0xfff) }
}
