// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// Where the translation of one address ended.
public enum TranslationEnding: Hashable, Sendable {
  /// The byte's host-physical address; `pageSize` is the smaller one of both stages in bytes.
  case mapped(PhysicalAddress, pageSize: UInt64, access: PagingAccess)
  /// The entry at this level is not present.
  case notPresent(Stage, level: Int)
  /// Entries down to a leaf are present, but no right is left of them.
  case noAccess(Stage, level: Int)
  /// The entry at this level has reserved bits.
  case reserved(Stage, level: Int, bits: UInt64)
  /// The table at this level is not in the dump.
  case unreadable(Stage, level: Int, MemoryError)
  /// The table at this level lies on its own path.
  case cycle(Stage, level: Int)
  /// A first-stage address whose upper bits are not copies of the highest one translated.
  case notCanonical
  /// An address above what the tables translate, in bits.
  case beyondWidth(Stage, Int)
  /// An address above what the unit translates, in bits (MGAW).
  case beyondUnit(Int)
  /// A page that is closed to the privilege of the request (US is 0).
  case supervisorPage(level: Int)
  /// The tables lead into the interrupt address range, where the unit lets no request go.
  case interruptTarget(PhysicalAddress)
  /// Tables of so many levels do not exist.
  case unsupportedLevels(Stage, Int)
}

/// One entry that a translation read.
public struct TranslationStep: Hashable, Sendable {
  public var stage: Stage
  /// Of the table that holds the entry.
  public var level: Int
  /// Host-physical address of the entry.
  public var entry: PhysicalAddress
  public var word: UInt64
  /// The table was a hole of an ELF dump and was taken for zeros.
  public var isAssumedZero: Bool

  public init(
    stage: Stage, level: Int, entry: PhysicalAddress, word: UInt64, isAssumedZero: Bool
  ) {
    self.stage = stage
    self.level = level
    self.entry = entry
    self.word = word
    self.isAssumedZero = isAssumedZero
  }
}

/// The translation of one address, level by level.
///
/// In nested translation the second-stage steps come before the first-stage entry that they locate,
/// and at the end those of the page itself.
public struct TranslationTrace: Hashable, Sendable {
  public var steps: [TranslationStep]
  public var ending: TranslationEnding

  public init(steps: [TranslationStep], ending: TranslationEnding) {
    self.steps = steps
    self.ending = ending
  }
}
