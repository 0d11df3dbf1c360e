// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// How entries of one stage are read: presence, rights, leaves and reserved bits.
///
/// The walk and the translation of one address ask the same questions here. Reserved bits are those
/// of the layouts in `FirstStageEntry` and `SecondStageEntry`, and what the unit does not have.
///
/// Source: VT-d specification, sections 9.7 and 9.8.
public struct PagingRules: Sendable {
  // Computed, because each use of a stored one asks first whether it is stored already.
  /// Bits 51:12.
  @inlinable static var addressMask: UInt64 { 0x000f_ffff_ffff_f000 }
  @inlinable static var largePage: UInt64 { 1 << 7 }
  static let snoop = EntryMask.word(bits: 11...11)

  /// All of these must be set in a present entry, besides a right.
  @usableFromInline let required: UInt64
  /// Rights that every present entry grants.
  @usableFromInline let granted: UInt64
  /// Reserved bits by level, 0 to 5, of entries that point to a table.
  @usableFromInline let tableMasks: [UInt64]
  /// Reserved bits by level, 0 to 5, of entries that map a page.
  @usableFromInline let leafMasks: [UInt64]
  @usableFromInline let beyondWidth: UInt64

  /// - Parameters:
  ///   - stage: the format of the entries.
  ///   - unit: `nil` if it is not known; then only those bits are reserved that no unit allows.
  ///   - isGuest: the addresses inside are guest-physical, so the host's width does not bound them.
  ///   - privilege: first stage only: that of the request.
  ///   - snoopsAlways: second stage only: SNP is not looked at, see `AddressSpace.snoopsAlways`.
  public init(
    stage: Stage, unit: UnitCapabilities?, isGuest: Bool = false,
    privilege: RequestPrivilege = .supervisor(obeysReadOnly: true), snoopsAlways: Bool = false
  ) {
    let beyond =
      isGuest ? 0 : (unit?.bitsBeyondHostAddressWidth ?? 0) & Self.addressMask
    beyondWidth = beyond
    func masks(isLeaf: Bool) -> [UInt64] {
      (0...5).map { level in
        guard level > 0, isLeaf ? level <= 3 : level >= 2 else { return beyond }
        return stage.reservedMask(level: level, isLeaf: isLeaf) | beyond
      }
    }
    var leaves = masks(isLeaf: true)
    switch stage {
    case .first:
      switch privilege {
      case .user: (required, granted) = (0b101, 0)
      case .supervisor(let obeysReadOnly): (required, granted) = (0b001, obeysReadOnly ? 0 : 0b010)
      }
      if let unit, !unit.capability.firstStage1GiB { leaves[3] |= Self.largePage }
    case .second:
      (required, granted) = (0, 0)
      if let unit {
        if !unit.extendedCapability.snoopControl, !snoopsAlways {
          for level in 1...3 { leaves[level] |= Self.snoop }
        }
        if !unit.capability.secondStage2MiB { leaves[2] |= Self.largePage }
        if !unit.capability.secondStage1GiB { leaves[3] |= Self.largePage }
      }
    }
    tableMasks = masks(isLeaf: false)
    leafMasks = leaves
  }

  /// Whether hardware goes on with the entry at all.
  @inlinable
  public func isPresent(_ word: UInt64) -> Bool {
    word & 3 != 0 && word & required == required
  }

  /// The rights that a present entry grants to the request.
  @inlinable
  public func access(_ word: UInt64) -> PagingAccess {
    PagingAccess(entry: word | granted)
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

/// With which privilege a request comes to a first stage.
///
/// Source: VT-d specification, sections 3.6.1 (access rights) and 9.6 (SRE, WPE).
public enum RequestPrivilege: Hashable, Sendable {
  /// Pages closed to user privilege (US is 0) refuse it: what requests have without PASID, and with
  /// one unless the device asks for more.
  case user
  /// All pages are open; pages that are not writable refuse it only if the PASID entry sets WPE.
  case supervisor(obeysReadOnly: Bool)
}

extension Stage {
  /// ADDR of an entry, and what must be zero below it in a large page.
  static func addressFields(level: Int?, isLeaf: Bool, from low: Int) -> [BitField] {
    guard let level, isLeaf, level == 2 || level == 3 else {
      return [.address("ADDR", low...51, "table or page")]
    }
    let first = PagingRules.shift(level: level)
    return [.reserved(low...first - 1), .address("ADDR", first...51, "page")]
  }

  /// The reserved bits of an entry's layout.
  func reservedMask(level: Int, isLeaf: Bool) -> UInt64 {
    let layout =
      self == .first
      ? FirstStageEntry.layout(level: level, isLeaf: isLeaf)
      : SecondStageEntry.layout(level: level, isLeaf: isLeaf)
    return EntryMask(layout.lazy.filter { $0.role == .reserved }, wordCount: 1).words[0]
  }

  /// What an entry of a table at `level` (1 to 5) points to: a table, or a page of memory.
  ///
  /// - Returns: `nil` for an entry that is not present. In nested translation the address of a table is
  ///   guest-physical.
  public func target(of word: UInt64, level: Int) -> (address: PhysicalAddress, isLeaf: Bool)? {
    guard self == .first ? word[bit: 0] : word & 3 != 0, (1...5).contains(level) else { return nil }
    let isLeaf = level == 1 || level <= 3 && word & PagingRules.largePage != 0
    let address = isLeaf ? PagingRules.page(word, level: level) : word & PagingRules.addressMask
    return (PhysicalAddress(address), isLeaf)
  }

  /// The layout of the word at `level` as the walk takes it; the common one where that is unknown.
  public func layout(of word: UInt64, level: Int?) -> [BitField] {
    guard let level, (1...5).contains(level) else {
      return self == .first ? FirstStageEntry.layout : SecondStageEntry.layout
    }
    let isLeaf = level == 1 || level <= 3 && word & PagingRules.largePage != 0
    return self == .first
      ? FirstStageEntry.layout(level: level, isLeaf: isLeaf)
      : SecondStageEntry.layout(level: level, isLeaf: isLeaf)
  }
}
