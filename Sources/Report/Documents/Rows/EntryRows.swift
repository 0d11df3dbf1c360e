// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import Translation

extension DecodedField: DocumentRow {
  static var rowName: String { "entryField" }
  static var rowMeaning: String { "A field of an entry with its value." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DecodedField {
    fields.field("name", \.name, "The specification's abbreviation, or reserved or ignored.")
    fields.field("high", \.high, "Its highest bit, numbered across the whole entry.", .count)
    fields.field("low", \.low, "Its lowest bit.", .count)
    fields.field(
      "value", \.value,
      "Moved down to bit 0; of a pointer, in place, so that it reads as an address.")
    fields.field("meaning", \.meaning, "What the field is for.")
  }
}

extension DecodedEntry: DocumentRow {
  static var rowName: String { "entry" }
  static var rowMeaning: String { "An entry of a table as it was read, with its fields." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DecodedEntry {
    fields.field("structure", \.structure, "What it is: root entry, context entry and so on.")
    fields.field(
      "level", \.level, "Of a paging entry, 1 for tables of 4 KiB pages; null elsewhere.")
    fields.field("address", \.address, "Its host-physical address.")
    fields.field("raw", \.raw, "Its words, lowest first.")
    fields.field("fields", \.fields, "Its fields, from the highest bit down.")
    fields.field(
      "assumedZero", \.assumedZero,
      "Whether the table was a hole of an ELF dump and was taken for zeros.")
  }
}

extension UnitEntries: DocumentRow {
  static var rowName: String { "unitEntries" }
  static var rowMeaning: String { "The entries of one unit's tables down to the contexts." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitEntries {
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("mode", \.mode, "How the unit reads its root table.")
    fields.field("rootTable", \.rootTable, "Physical address of the root table.")
    fields.field(
      "entries", \.entries,
      "Present root entries, context entries, PASID directory entries and PASID entries.")
    fields.field(
      "interrupts", \.interrupts,
      "Present entries of the interrupt-remapping table; null unless asked for.")
    fields.field("obstacles", \.obstacles, "What could not be read on the way.")
  }
}

extension UnitEntries.Row: LongRow {
  static var rowName: String { "unitEntry" }
  static var rowMeaning: String { "An entry on the way to a context." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitEntries.Row {
    fields.field("bus", \.bus, "The bus that it is for.")
    fields.field("device", \.device, "The source id, of context entries and PASID entries.")
    fields.field("pasid", \.pasid, "The PASID, of PASID entries.")
    fields.field("entry", \.entry, "The entry.")
  }
}

extension UnitEntries.InterruptRow: LongRow {
  static var rowName: String { "interruptEntry" }
  static var rowMeaning: String { "An entry of the interrupt-remapping table." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitEntries.InterruptRow {
    fields.field("index", \.index, "Its index in the table, the handle of an interrupt.", .count)
    fields.field("entry", \.entry, "The entry.")
  }
}

extension DeviceEntries: DocumentRow {
  static var rowName: String { "deviceEntries" }
  static var rowMeaning: String { "The entries of the page tables behind one context." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceEntries {
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("device", \.device, "The source id.")
    fields.field("pasid", \.pasid, "The PASID that was asked for.")
    fields.field("path", \.path, "From the root entry to the entry that names the table.")
    fields.field("translation", \.translation, "What the path leads to, half a sentence.")
    fields.field("levels", \.levels, "Levels of the table.")
    fields.field("table", \.table, "Physical address of the table.")
    fields.field(
      "entries", \.entries, "Present entries, depth first, I/O virtual addresses ascending.")
    fields.field("isCut", \.isCut, "Whether entries were left out because there are too many.")
    fields.field("obstacles", \.obstacles, "What the walk could not go through.")
  }
}

extension DeviceEntries.Row: DocumentRow {
  static var rowName: String { "pagingEntry" }
  static var rowMeaning: String { "An entry of a page table." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceEntries.Row {
    fields.field("iova", \.iova, "First address that the entry stands for.")
    fields.field("leaf", \.leaf, "Whether it maps a page.")
    fields.field("entry", \.entry, "The entry.")
  }
}

extension TableContents: DocumentRow {
  static var rowName: String { "tablePage" }
  static var rowMeaning: String { "A page of memory that a unit reads, with its entries." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == TableContents {
    fields.field("asked", \.asked, "The address as it was asked for.")
    fields.field("address", \.address, "Physical address of the page that it lies in.")
    fields.field(
      "structure", \.structure,
      "What the page is; null where no table or queue of a known unit lies.")
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("domainID", \.domainID, "Domain-id, of page tables.")
    fields.field("level", \.level, "Of page tables, 1 for those whose entries are 4 KiB pages.")
    fields.field("table", \.table, "Of page tables: the top of their tree.")
    fields.field("iova", \.iova, "Of page tables: the first address that the page stands for.")
    fields.field("devices", \.devices, "Of page tables: source ids whose requests come here.")
    fields.field(
      "pointedToBy", \.pointedToBy,
      "Physical address of the entry that points here; null where a register does.")
    fields.field("slots", \.slots, "How many entries a page of the kind has.", .count)
    fields.field(
      "entries", \.entries,
      "Entries that are not zero; where the address is that of an entry, this one alone, zero or not."
    )
    fields.field("obstacle", \.obstacle, "Why the page cannot be read, half a sentence.")
  }
}

extension TableContents.Row: DocumentRow {
  static var rowName: String { "tableEntry" }
  static var rowMeaning: String {
    "An entry of a page, or several leaves of which each maps one page more than the one before."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == TableContents.Row {
    fields.field("index", \.index, "Its number in the table.", .count)
    fields.field("count", \.count, "How many entries the row stands for.", .count)
    fields.field("bus", \.bus, "Of root entries and context entries.")
    fields.field("device", \.device, "Of context entries: the source id.")
    fields.field(
      "pasid", \.pasid, "Of PASID entries, and of PASID directory entries the first of 64.")
    fields.field("iova", \.iova, "Of page tables: the first address that the entry stands for.")
    fields.field("present", \.present, "Whether the entry is present.")
    fields.field("leaf", \.leaf, "Whether it maps a page; null for those of other tables.")
    fields.field("target", \.target, "The table or the page that it points to.")
    fields.field("entry", \.entry, "The first entry, decoded.")
  }
}

extension AddressTranslation: DocumentRow {
  static var rowName: String { "translation" }
  static var rowMeaning: String {
    "One I/O virtual address of one device, followed level by level."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == AddressTranslation {
    fields.field("unit", \.unit, "Name of the unit; null if none is known for the device.")
    fields.field("device", \.device, "The source id.")
    fields.field("pasid", \.pasid, "As asked; null for a request without PASID.")
    fields.field("iova", \.iova, "The address.")
    fields.field("entries", \.entries, "From the root entry to the leaf, as far as the way leads.")
    fields.field("outcome", \.outcome, "Where the way ended.")
    fields.field("detail", \.detail, "The same, half a sentence.")
    fields.field(
      "physical", \.physical,
      "Host-physical address of the byte; null unless the request gets there.")
    fields.field(
      "pageSize", \.pageSize,
      "Bytes of the page, the smaller one of both stages; null unless mapped.")
    fields.field(
      "access", \.access, "What the device may do there; null unless the request gets there.",
      .words(["r": "read.", "w": "write.", "rw": "read and write."]))
    fields.field("domainID", \.domainID, "Domain-id of the context.")
    fields.field(
      "faultOnRead", \.faultOnRead,
      "What the unit reports for a read; null where it goes through or the answer is unknown.")
    fields.field("faultOnWrite", \.faultOnWrite, "Likewise for a write.")
    fields.field(
      "faultsSuppressed", \.faultsSuppressed,
      "Whether the entries keep the unit from reporting faults of this way (FPD).")
  }
}

extension AddressTranslation.Outcome: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .mapped: "at a page."
    case .passThrough: "the address is a physical one."
    case .untranslated: "translation is off: the address is a physical one."
    case .interrupt: "in the interrupt address range: a write is an interrupt."
    case .beyondWidth: "the address has more bits than the unit or the tables translate."
    case .notMapped: "the page tables refuse the request."
    case .noContext: "above the page tables: an entry is absent, or hardware refuses it."
    case .unreadable: "a page that is missing in the dump hides the answer."
    case .unknown: "no unit is known for the device."
    }
  }
}

extension ReportedFault: DocumentRow {
  static var rowName: String { "fault" }
  static var rowMeaning: String { "A fault reason." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == ReportedFault {
    fields.field("code", \.code, "The fault reason field.")
    fields.field(
      "condition", \.condition, "The specification's name of the condition, such as LGN.2.")
    fields.field("meaning", \.meaning, "The condition in words.")
  }
}
