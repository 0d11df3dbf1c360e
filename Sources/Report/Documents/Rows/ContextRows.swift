// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Context: DocumentRow {
  static var rowName: String { "context" }
  static var rowMeaning: String {
    "A present context entry (legacy mode) or PASID entry (scalable mode), as the hardware would see it."
  }
  static var blank: Context? {
    Context(
      unit: "", device: PCIFunction(bus: 0, devfn: 0), pasid: nil, translation: .none,
      domainID: nil, levels: nil, table: nil, faultProcessingDisabled: false, raw: [],
      entry: PhysicalAddress(0))
  }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Context {
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("device", \.device, "The source id, even if Linux knows no such device.")
    fields.field(
      "pasid", \.pasid, "Null in legacy mode, and without any present PASID entry.", .pasid)
    fields.field("translation", \.translation, "What the entry does with a request.")
    fields.field("domainID", \.domainID, "Tag of the translations in the unit's caches.")
    fields.field(
      "levels", \.levels, "Levels of the table that translates; of the first stage for nested.")
    fields.field(
      "table", \.table,
      "The table that translates; for nested the first-stage table, a guest physical address.",
      .page)
    fields.field(
      "faultProcessingDisabled", \.faultProcessingDisabled,
      "Whether faults through this entry go unreported (FPD).")
    fields.field(
      "raw", \.raw,
      "The entry's words as read, lowest first: 2 legacy, 4 extended, 8 of a PASID entry.",
      FormRefinement(.plain, items: 2...8))
    fields.field("entry", \.entry, "Physical address of the entry.")
    fields.field("secondStage", \.secondStage, "The second stage of nested translation.")
    fields.field(
      "servesRequestsWithoutPASID", \.servesRequestsWithoutPASID,
      "Whether requests without PASID come through here.")
    fields.field(
      "refusal", \.refusal,
      "What hardware refuses every request for that comes here; null if it goes on to the tables.",
      since: "0.1.0")
  }
}

extension Context.Refusal: DocumentRow {
  static var rowName: String { "refusal" }
  static var rowMeaning: String { "An entry on the way that hardware refuses." }
  static var blank: Context.Refusal? { Context.Refusal(detail: "", faultReason: 0) }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Context.Refusal {
    fields.field("detail", \.detail, "Which entry, and what is wrong with it.")
    fields.field("faultReason", \.faultReason, "The fault that the unit records, as its number.")
  }
}

extension Translation: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .secondStage: "through a second-stage table."
    case .firstStage: "through a first-stage table."
    case .nested: "through a first-stage table whose output a second stage translates."
    case .passThrough: "addresses are physical ones."
    case .none:
      "requests are blocked (a reserved type, no PASID entry), or with no refusal it is unread."
    }
  }
}

extension StageTable: DocumentRow {
  static var rowName: String { "stageTable" }
  static var rowMeaning: String { "A translation table and its depth." }
  static var blank: StageTable? { StageTable(table: PhysicalAddress(0), levels: 0) }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == StageTable {
    fields.field("table", \.table, "Physical address of the table.", .page)
    fields.field("levels", \.levels, "Its levels.")
  }
}
