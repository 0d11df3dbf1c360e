// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

extension TableMode {
  /// The mode that TTM, bits 11:10 of the root table address register, stands for; `nil` for 3, by
  /// which all requests are blocked and no table is read.
  ///
  /// Bit 11 alone is `extended` as revisions 2.x defined it (RTT); later ones reserve the value.
  public init?(translationTableMode bits: UInt64) {
    switch bits {
    case 0: self = .legacy
    case 1: self = .scalable
    case 2: self = .extended
    default: return nil
    }
  }
}

/// The root table address register, RTADDR_REG.
///
/// Source: VT-d specification, section 11.4.6. 64 bits at offset 0x20. No dump holds it.
public struct RootTableAddress: TableEntry, RawRepresentable {
  public var rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public init(words: [UInt64]) { rawValue = words.first ?? 0 }
  public var words: [UInt64] { [rawValue] }
  public static let bitCount = 64

  public static let layout: [BitField] = [
    .reserved(0...9),
    BitField("TTM", 10...11, "translation table mode: 0 legacy, 1 scalable, 3 abort DMA"),
    .address("RTA", 12...63, "root table address"),
  ]

  /// `nil` where all requests are blocked (abort-DMA mode).
  public var mode: TableMode? { TableMode(translationTableMode: rawValue[bits: 10...11]) }
  /// Page-aligned.
  public var rootTable: PhysicalAddress { PhysicalAddress(rawValue & ~0xfff) }

  /// The reserved bits that are set.
  public func reservedBits(_ unit: UnitCapabilities) -> EntryMask {
    set(Self.reservedMask.union(unit.beyondHostAddressWidth(Self.mask(of: "RTA"))))
  }
}
