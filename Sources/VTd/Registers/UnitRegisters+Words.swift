// SPDX-License-Identifier: Apache-2.0

internal import Memory
public import RemappingState

/// Where registers are, in bytes from a unit's register base.
///
/// Source: VT-d specification, section 11.4, table of registers.
public enum RegisterOffset {
  public static let capability: UInt64 = 0x08
  public static let extendedCapability: UInt64 = 0x10
  /// GCMD in the lower half, GSTS in the upper.
  static let globalCommand: UInt64 = 0x18
  static let rootTable: UInt64 = 0x20
  /// FSTS in the upper half.
  static let faultStatus: UInt64 = 0x30
}

extension UnitRegisters {
  /// Decodes what was read.
  ///
  /// - Parameters:
  ///   - values: 64 bits each, by offset.
  ///   - unit: which unit they are of, where that is known.
  public init(words values: [UInt64: UInt64], of unit: Unit?) {
    let offsets = values.keys.sorted()
    self.init(
      unit: unit?.name, registerBase: unit?.registerBase,
      words: offsets.map { Word(offset: HexWord($0), value: HexWord(values[$0] ?? 0)) })
    // No unit has all bits set: what does not answer reads so.
    guard values[RegisterOffset.capability] != .max else { return }
    if let word = values[RegisterOffset.rootTable] {
      rootTable = PhysicalAddress(word & ~0xfff)
      tableMode = RootTableAddress(word).mode
    }
    globalStatus = values[RegisterOffset.globalCommand].map { HexWord($0 >> 32) }
    faultStatus = values[RegisterOffset.faultStatus].map { HexWord($0 >> 32) }
    guard let word = values[RegisterOffset.capability] else { return }
    let capability = Capability(word)
    for index in 0..<capability.faultRecordCount {
      let place = UInt64(capability.faultRecordOffset + 16 * index)
      guard let low = values[place], let high = values[place + 8], high[bit: 63] else { continue }
      faultRecords.append(FaultRecord(low, high, segment: unit?.segment ?? 0))
    }
  }
}

extension UnitRegisters.FaultRecord {
  /// The two halves of a fault recording register.
  ///
  /// Source: VT-d specification, section 11.4.9.5: FI in bits 63:12; of the upper half SID in 15:0, T2 in
  /// 28, PP in 31, FR in 39:32, PV in 59:40, T1 in 62, F in 63. T1 without T2 is a read.
  init(_ low: UInt64, _ high: UInt64, segment: UInt32) {
    self.init(
      device: PCIFunction(
        segment: segment, bus: UInt8(high[bits: 8...15]), devfn: UInt8(high[bits: 0...7])),
      reason: HexWord(high[bits: 32...39]), address: HexWord(low & ~0xfff),
      isWrite: !high[bit: 62], pasid: high[bit: 31] ? UInt32(high[bits: 40...59]) : nil)
  }
}
