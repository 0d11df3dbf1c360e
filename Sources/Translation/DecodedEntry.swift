// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState
public import VTd

/// A field of an entry with its value: one line of a decoder.
public struct DecodedField: Hashable, Sendable {
  /// The specification's abbreviation, or `reserved` or `ignored`.
  public var name: String
  /// Highest bit, numbered across the whole entry.
  public var high: Int
  public var low: Int
  /// Moved down to bit 0; of an address, with the low bits that the entry leaves out.
  public var value: HexWord
  public var meaning: String

  public init(_ field: BitField, in words: [UInt64]) {
    name = field.name
    high = field.bits.upperBound
    low = field.bits.lowerBound
    value = HexWord(field.meant(in: words))
    meaning = field.meaning
  }
}

/// An entry of a table as it was read, with its fields.
public struct DecodedEntry: Hashable, Sendable {
  /// `root entry`, `context entry`, `second-stage entry`, ….
  public var structure: String
  /// Of a paging entry: 1 for tables of 4 KiB pages; `null` elsewhere.
  public var level: Int?
  /// Host-physical.
  public var address: PhysicalAddress
  /// Lowest word first.
  public var raw: [HexWord]
  /// From the highest bit down.
  public var fields: [DecodedField]
  /// The table was a hole of an ELF dump and was taken for zeros.
  public var assumedZero: Bool

  public init(
    structure: String, level: Int? = nil, address: PhysicalAddress, words: [UInt64],
    layout: [BitField], assumedZero: Bool = false
  ) {
    self.structure = structure
    self.level = level
    self.address = address
    raw = words.map { HexWord($0) }
    fields = layout.reversed().map { DecodedField($0, in: words) }
    self.assumedZero = assumedZero
  }

  public init(_ step: ContextStep) {
    self.init(
      structure: step.structure.rawValue, address: step.entry, words: step.words,
      layout: step.fields, assumedZero: step.isAssumedZero)
  }

  public init(_ step: TranslationStep) {
    self.init(
      structure: step.stage.entryName, level: step.level, address: step.entry,
      words: [step.word], layout: step.stage.layout(of: step.word, level: step.level),
      assumedZero: step.isAssumedZero)
  }

  public init(interrupt entry: InterruptRemapEntry, at address: PhysicalAddress) {
    self.init(
      structure: "interrupt remapping entry", address: address, words: entry.words,
      layout: entry.fields)
  }
}

extension Stage {
  public var entryName: String { "\(self) entry" }
}
