// SPDX-License-Identifier: Apache-2.0

public import Memory

/// How a unit reads its root table: TTM, bits 11:10 of the root table address register.
///
/// `extended` is bit 11 alone as revisions 2.x defined it (RTT); later ones reserve the value.
public struct TranslationTableMode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public var rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Root entries of one context table, context entries of 128 bits.
  public static let legacy = Self(rawValue: 0)
  /// Root entries of two context tables, context entries of 256 bits that lead to a PASID directory.
  public static let scalable = Self(rawValue: 1)
  /// Root entries of two context tables, context entries of 256 bits with a second-stage pointer.
  public static let extended = Self(rawValue: 2)
  /// All requests are blocked; no table is read.
  public static let abortDMA = Self(rawValue: 3)

  public var description: String {
    switch self {
    case .legacy: "legacy"
    case .scalable: "scalable"
    case .extended: "extended"
    case .abortDMA: "abort-dma"
    default: "reserved (\(rawValue))"
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
    BitField("RTA", 12...63, "root table address"),
  ]

  public var mode: TranslationTableMode { .init(rawValue: UInt8(rawValue[bits: 10...11])) }
  /// Page-aligned.
  public var rootTable: PhysicalAddress { PhysicalAddress(rawValue & ~0xfff) }

  /// The reserved bits that are set.
  public func reservedBits(_ unit: UnitCapabilities) -> EntryMask {
    EntryMask([rawValue & (0x3ff | unit.bitsBeyondHostAddressWidth)])
  }
}
