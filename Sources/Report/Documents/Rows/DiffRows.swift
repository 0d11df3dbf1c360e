// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import StateDiff

extension DiffOptions: DocumentRow {
  static var rowName: String { "options" }
  static var rowMeaning: String { "What counted as a difference." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DiffOptions {
    fields.field(
      "ignorePhysical", \.ignorePhysical, "Which page an address is mapped to was not compared.")
    fields.field("addresses", \.addresses, "Where tables and entries lie was compared.")
  }
}

extension Statement: DocumentRow {
  static var rowName: String { "statement" }
  static var rowMeaning: String { "What a difference means, or what stayed." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Statement {
    fields.field("topic", \.topic, "What it is about.")
    fields.field("isChange", \.isChange, "Whether something changed.")
    fields.field("text", \.text, "The sentence for a person.", .notEmpty)
  }
}

extension Statement.Topic: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .kernel: "the kernel's release."
    case .translation: "whether units translate DMA and remap interrupts."
    case .policy: "lazy, strict or pass-through, by the kernel's default domains."
    case .commandLine: "words of the kernel's command line."
    case .tables: "legacy or scalable tables, first or second stage."
    case .addressSpace: "how wide the second stage is."
    case .devices: "devices that came or went."
    case .drivers: "drivers of devices."
    case .reservedRegions: "fixed regions and how they are mapped."
    case .faults: "what the kernel log tells of faults."
    }
  }
}

extension RowDifference: DocumentValue, DocumentRow where Row: DocumentRow {
  static var rowName: String { "\(Row.rowName)Difference" }
  static var rowMeaning: String { "How one list of rows became another." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == RowDifference {
    fields.field("added", \.added, "Whole rows that only the new dump has.")
    fields.field("removed", \.removed, "Whole rows that only the old dump has.")
    fields.field(
      "changed", \.changed, "Rows that both dumps have, by key; a row's mapping by address.")
  }
}

extension Change: DocumentValue {
  static var lineKind: LineKind { .row }

  func write(to writer: JSONWriter) {
    writer.openObject()
    writeMembers(to: writer)
    writer.close()
  }

  func writeMembers(to writer: JSONWriter) {
    switch self {
    case .field(let change): change.writeMembers(to: writer)
    case .mapping(let change): change.writeMembers(to: writer)
    }
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    .either([
      FieldChange.form(.plain, in: catalogue), MappingChange.form(.plain, in: catalogue),
    ])
  }
}

extension FieldChange: DocumentRow {
  static var rowName: String { "fieldChange" }
  static var rowMeaning: String { "A field with two values." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FieldChange {
    fields.field("key", \.key, "The row.")
    fields.field(
      "field", \.field, "Name in the report; a dot leads into a row within the row.",
      .except("mapping"))
    fields.field(
      "old", \.old, "As in the report, or ranges and bytes of an allocator's state.")
    fields.field(
      "new", \.new, "As in the report, or ranges and bytes of an allocator's state.")
  }
}

extension MappingChange: DocumentRow {
  static var rowName: String { "mappingChange" }
  static var rowMeaning: String { "A range of I/O virtual addresses that is mapped differently." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == MappingChange {
    fields.field("key", \.key, "The domain.")
    fields.constant("field", "mapping", "Tells this row from other changes.")
    fields.field("start", \.start, "First byte of the range.")
    fields.field("end", \.end, "Last byte, inclusive.")
    fields.field("old", \.old, "Null where the range was not mapped.")
    fields.field("new", \.new, "Null where the range is not mapped any more.")
  }
}

extension MappingChange.Target: DocumentRow {
  static var rowName: String { "target" }
  static var rowMeaning: String {
    "What the start of a range is mapped to; the rest follows without a gap."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == MappingChange.Target {
    fields.field(
      "physical", \.physical, "Physical address; null where it was not compared.")
    fields.field("access", \.access, "What a device may do there.")
  }
}

extension RowKey: DocumentValue {
  func write(to writer: JSONWriter) { FieldValue.members(members).write(to: writer) }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    .map(
      "The fields that identify the row in both dumps. `unit` is its name where both call it so,"
        + " and segment:base where they do not; `ordinal` tells rows apart that share all else.")
  }
}

extension FieldValue: DocumentValue {
  func write(to writer: JSONWriter) {
    switch self {
    case .null: writer.literal("null")
    case .flag(let flag): flag.write(to: writer)
    case .number(let number): writer.integer(number)
    case .address(let address): writer.hexadecimal(address)
    case .text(let text): writer.string(text)
    case .list(let values): values.write(to: writer)
    case .figure(let figure):
      writer.openObject()
      writer.key("ranges")
      writer.integer(figure.ranges)
      writer.key("bytes")
      writer.integer(figure.bytes)
      writer.close()
    case .members(let members):
      writer.openObject()
      for member in members {
        writer.key(member.name)
        member.value.write(to: writer)
      }
      writer.close()
    }
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form { .any }
}
