// SPDX-License-Identifier: Apache-2.0

/// How entries of one stage are read: presence, leaves and reserved bits.
///
/// The walk and the translation of one address ask the same questions here.
///
/// Source: VT-d specification, sections 9.7 and 9.8. Bit 7 of a second-stage entry at level 1 is
/// must-be-zero here, as in revisions 1.x; it is free in the first stage (PAT).
public struct PagingRules: Sendable {
  /// Bits 51:12.
  @usableFromInline static let addressMask: UInt64 = 0x000f_ffff_ffff_f000
  @usableFromInline static let largePage: UInt64 = 1 << 7

  /// All of these must be set in a present entry, besides a right.
  @usableFromInline let required: UInt64
  /// Reserved bits by level, 0 to 5, of entries that point to a table.
  @usableFromInline let tableMasks: [UInt64]
  /// Reserved bits by level, 0 to 5, of entries that map a page.
  @usableFromInline let leafMasks: [UInt64]
  @usableFromInline let beyondWidth: UInt64

  /// - Parameters:
  ///   - stage: the format of the entries.
  ///   - unit: `nil` if it is not known; then only those bits are reserved that no unit allows.
  ///   - isGuest: the addresses inside are guest-physical, so the host's width does not bound them.
  ///   - userOnly: see `AddressSpace.userOnly`.
  public init(
    stage: PagingStage, unit: UnitCapabilities?, isGuest: Bool = false, userOnly: Bool = false
  ) {
    let beyond =
      isGuest ? 0 : (unit?.bitsBeyondHostAddressWidth ?? 0) & Self.addressMask
    beyondWidth = beyond
    var tables = [UInt64](repeating: beyond, count: 6)
    var leaves = tables
    // Page offsets of 2 MiB and 1 GiB pages; bit 12 is PAT in the first stage.
    leaves[2] |= 0x001f_f000
    leaves[3] |= 0x3fff_f000
    tables[4] |= Self.largePage
    tables[5] |= Self.largePage
    switch stage {
    case .first:
      required = userOnly ? 0b101 : 0b001
      leaves[2] &= ~0x1000
      leaves[3] &= ~0x1000
      if let unit, !unit.capability.firstStage1GiB { leaves[3] |= Self.largePage }
    case .second:
      required = 0
      leaves[1] |= Self.largePage
      let snoop: UInt64 = 1 << 11
      let transient: UInt64 = 1 << 62
      for level in 2...5 { tables[level] |= snoop | transient }
      if let unit {
        var optional: UInt64 = 0
        if !unit.extendedCapability.snoopControl { optional |= snoop }
        if !unit.extendedCapability.deviceTLB { optional |= transient }
        for level in 1...3 { leaves[level] |= optional }
        if !unit.capability.secondStage2MiB { leaves[2] |= Self.largePage }
        if !unit.capability.secondStage1GiB { leaves[3] |= Self.largePage }
      }
    }
    tableMasks = tables
    leafMasks = leaves
  }

  /// Whether hardware goes on with the entry at all.
  @inlinable
  public func isPresent(_ word: UInt64) -> Bool {
    word & 3 != 0 && word & required == required
  }

  /// Whether a present entry of a table at `level` maps a page.
  @inlinable
  public func isLeaf(_ word: UInt64, level: Int) -> Bool {
    level == 1 || level <= 3 && word & Self.largePage != 0
  }

  /// The reserved bits that are set in a present entry; 0 for levels other than 1 to 5.
  @inlinable
  public func reservedBits(_ word: UInt64, level: Int) -> UInt64 {
    guard level >= 1, level <= 5 else { return 0 }
    return word & (isLeaf(word, level: level) ? leafMasks[level] : tableMasks[level])
  }

  /// Bytes that one entry of a table at `level` stands for: 4 KiB at level 1, 512 times as much at
  /// each further one.
  @inlinable
  public static func span(level: Int) -> UInt64 {
    1 << UInt64(truncatingIfNeeded: shift(level: level))
  }

  /// The lowest bit of an address that selects the entry at `level`.
  @inlinable
  public static func shift(level: Int) -> Int { 3 &+ 9 &* level }

  /// The address in a leaf at `level`, without its page offset.
  @inlinable
  static func page(_ word: UInt64, level: Int) -> UInt64 {
    word & addressMask & ~(span(level: level) &- 1)
  }

  /// Sorts reserved bits by what is wrong: one obstacle, named after the worst.
  func obstacle(_ word: UInt64, reserved: UInt64, level: Int) -> PagingObstacle.Kind {
    let offset =
      isLeaf(word, level: level) && level > 1
      ? Self.addressMask & (Self.span(level: level) - 1) : 0
    if reserved & ~(beyondWidth | offset) != 0 { return .reservedBits(reserved) }
    return reserved & beyondWidth != 0
      ? .beyondHostAddressWidth(reserved) : .misalignedSuperpage(reserved)
  }
}
