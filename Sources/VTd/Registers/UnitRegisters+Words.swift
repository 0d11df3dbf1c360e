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
  static let queueHead: UInt64 = 0x80
  static let queueTail: UInt64 = 0x88
  static let queueAddress: UInt64 = 0x90
  static let queueError: UInt64 = 0xb0
  static let interruptTable: UInt64 = 0xb8
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
    queueError = values[RegisterOffset.queueError].map { HexWord($0) }
    if let word = values[RegisterOffset.interruptTable] {
      // Section 11.4.8.1: 2^(S + 1) entries, S in bits 3:0.
      interruptTable = PhysicalAddress(word & ~0xfff)
      interruptEntries = 1 << (Int(word & 0xf) + 1)
    }
    queue = Self.queue(values)
    guard let word = values[RegisterOffset.capability] else { return }
    let capability = Capability(word)
    for index in 0..<capability.faultRecordCount {
      let place = UInt64(capability.faultRecordOffset + 16 * index)
      guard let low = values[place], let high = values[place + 8], high[bit: 63] else { continue }
      faultRecords.append(FaultRecord(low, high, segment: unit?.segment ?? 0))
    }
  }
}

extension UnitRegisters {
  /// Source: VT-d specification, sections 11.4.9.10 to 11.4.9.12: QS in bits 2:0 of IQA gives 2^QS
  /// pages, DW in bit 11 descriptors of 32 bytes; offsets of the head and the tail in bits 18:4 of IQH
  /// and IQT.
  private static func queue(_ values: [UInt64: UInt64]) -> Queue? {
    guard let address = values[RegisterOffset.queueAddress],
      let head = values[RegisterOffset.queueHead], let tail = values[RegisterOffset.queueTail]
    else { return nil }
    let size = address[bit: 11] ? 32 : 16
    let entries = (4096 << Int(address & 7)) / size
    return Queue(
      base: PhysicalAddress(address & ~0xfff), entries: entries, descriptorSize: size,
      head: Int(head & 0x7fff0) / size, tail: Int(tail & 0x7fff0) / size)
  }

  /// The same, as those of the unit that they are of, if that can be told: by its register base; else by
  /// its capabilities, and its root table where several units have the same; else there is one unit.
  public func identified(among units: [Unit]) -> UnitRegisters {
    var values: [UInt64: UInt64] = [:]
    for word in words { values[word.offset.rawValue] = word.value.rawValue }
    if let base = registerBase {
      // A unit that is not known here keeps what its own report said of it.
      guard let unit = units.first(where: { $0.registerBase == base }) else { return self }
      return UnitRegisters(words: values, of: unit)
    }
    return UnitRegisters(words: values, of: unit(values, among: units))
  }

  private func unit(_ values: [UInt64: UInt64], among units: [Unit]) -> Unit? {
    guard let capability = values[RegisterOffset.capability] else {
      return units.count == 1 ? units[0] : nil
    }
    let same = units.filter {
      $0.capability.rawValue == capability
        && values[RegisterOffset.extendedCapability] ?? $0.extendedCapability.rawValue
          == $0.extendedCapability.rawValue
    }
    if same.count == 1 { return same[0] }
    let rooted = same.filter { $0.rootTable != nil && $0.rootTable == rootTable }
    if rooted.count == 1 { return rooted[0] }
    // The kernel's own copy of the capabilities may be what is missing.
    return same.isEmpty && units.count == 1 && units[0].capability.rawValue == 0 ? units[0] : nil
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
