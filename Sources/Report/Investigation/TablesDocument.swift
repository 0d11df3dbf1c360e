// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState
public import Translation

/// The document of `tables`.
public struct TablesDocument: Hashable, Sendable {
  public var tool: Tool
  public var dump: DumpSummary
  /// By unit; empty where a device or an address was asked for.
  public var units: [UnitEntries]
  /// Of the device that was asked for; empty otherwise.
  public var devices: [DeviceEntries]
  /// Of the addresses that were asked for, in their order; empty otherwise.
  public var pages: [TableContents]

  /// Where work ended early; empty where all was looked at.
  public var cuts: [Cut]

  public init(
    dump: DumpSummary, units: [UnitEntries], devices: [DeviceEntries],
    pages: [TableContents] = [], cuts: [Cut] = [], tool: Tool = .current
  ) {
    self.pages = pages
    self.cuts = cuts
    self.tool = tool
    self.dump = dump
    self.units = units
    self.devices = devices
  }
}

extension TablesDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(TablesDocument.self, verb: "tables")
  public var body: DocumentBody { DocumentBody(self) }

  static var rowName: String { "tables" }
  static var rowMeaning: String { "Raw entries of the tables, decoded field by field." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == TablesDocument {
    fields.constant("schema", "iommuscope-tables/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("dump", \.dump, "The dump that was read.")
    fields.field("units", \.units, "By unit; empty where a device or an address was asked for.")
    fields.field("devices", \.devices, "Of the device that was asked for; empty otherwise.")
    fields.field(
      "pages", \.pages, "Of the addresses that were asked for, in their order; empty otherwise.",
      since: "0.1.0")
    fields.field("cuts", \.cuts, Cut.meaning, since: "0.1.0")
  }
}
