// SPDX-License-Identifier: Apache-2.0

internal import Memory

extension CarveDocument.Root: DocumentRow {
  static var rowName: String { "root" }
  static var rowMeaning: String { "A page that looks like a root table." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == CarveDocument.Root {
    fields.field("address", \.address, "Its physical address.", .page)
    fields.field(
      "mode", \.mode, "In which mode it makes sense.",
      .words(["legacy": "", "extended": "", "scalable": ""]))
    fields.field("score", \.score, "How sure that is, 0 to 100.", .range(0...100))
    fields.field("reasons", \.reasons, "What speaks for and against it.")
    fields.field("buses", \.buses, "Buses with a context table.")
    fields.field("devices", \.devices, "Source ids with a context entry.")
    fields.field("domainIDs", \.domainIDs, "Domain-ids in its entries.")
    fields.field("tables", \.tables, "Top page tables.")
    fields.field("missingTables", \.missingTables, "Tables that the dump does not hold.", .count)
    fields.field(
      "copiedContexts", \.copiedContexts,
      "Context entries that another kernel has marked as copied.",
      .count)
    fields.field(
      "sharesTablesWith", \.sharesTablesWith,
      "Other roots that lead to some of the same page tables: one is a copy of the other.")
    fields.field(
      "fromRegisters", \.isRegistered,
      "Whether a unit's own register (RTADDR, from --registers) points here.")
  }
}
