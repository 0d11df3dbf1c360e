// SPDX-License-Identifier: Apache-2.0

public import Memory

/// The global command register, GCMD_REG, or a software shadow of it.
///
/// Source: VT-d specification, section 11.4.4. 32 bits at offset 0x18. The status register GSTS_REG
/// has the same layout; its bits tell what took effect.
public struct GlobalCommand: TableEntry, RawRepresentable {
  public var rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  public init(words: [UInt64]) { rawValue = UInt32(truncatingIfNeeded: words.first ?? 0) }
  public var words: [UInt64] { [UInt64(rawValue)] }
  public static let bitCount = 32

  public static let layout: [BitField] = [
    .reserved(0...22),
    BitField("CFI", 23, "compatibility-format interrupts pass"),
    BitField("SIRTP", 24, "set interrupt remapping table pointer"),
    BitField("IRE", 25, "interrupt remapping enable"),
    BitField("QIE", 26, "queued invalidation enable"),
    BitField("WBF", 27, "write buffer flush"),
    BitField("EAFL", 28, "enable advanced fault logging"),
    BitField("SFL", 29, "set fault log"),
    BitField("SRTP", 30, "set root table pointer"),
    BitField("TE", 31, "translation enable"),
  ]

  public var compatibilityFormatInterrupts: Bool { rawValue[bit: 23] }
  public var setInterruptTablePointer: Bool { rawValue[bit: 24] }
  public var interruptRemappingEnable: Bool { rawValue[bit: 25] }
  public var queuedInvalidationEnable: Bool { rawValue[bit: 26] }
  public var writeBufferFlush: Bool { rawValue[bit: 27] }
  public var setRootTablePointer: Bool { rawValue[bit: 30] }
  public var translationEnable: Bool { rawValue[bit: 31] }
}
