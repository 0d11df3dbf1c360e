// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState
public import StateDiff

/// The document of `diff`: how one state became another, and which dumps they came from.
public struct DiffDocument: Hashable, Sendable {
  public var tool: Tool
  public var old: DumpSummary
  public var new: DumpSummary
  public var diff: StateDiff

  /// Where work ended early; empty where all was looked at.
  public var cuts: [Cut]

  public init(
    old: DumpSummary, new: DumpSummary, diff: StateDiff, cuts: [Cut] = [], tool: Tool = .current
  ) {
    self.cuts = cuts
    self.tool = tool
    self.old = old
    self.new = new
    self.diff = diff
  }
}

extension DiffDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(DiffDocument.self, verb: "diff")
  public var body: DocumentBody { DocumentBody(self) }

  static var rowName: String { "diff" }
  static var rowMeaning: String {
    "How one state of a machine's DMA remapping units became another."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DiffDocument {
    fields.constant("schema", "iommuscope-diff/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("old", \.old, "The first dump; never compared.")
    fields.field("new", \.new, "The second dump; never compared.")
    fields.field("options", \.diff.options, "What was compared.")
    fields.derived("equal", \.diff.isEmpty, "Whether every list below is empty.")
    fields.field(
      "meaning", \.diff.meaning, "What the differences mean, changes first; also what stayed.")
    fields.field("units", \.diff.units, "Differences of the remapping units.")
    fields.field("contexts", \.diff.contexts, "Differences of what the hardware would see.")
    fields.field("domains", \.diff.domains, "Differences of the address spaces.")
    fields.field("devices", \.diff.devices, "Differences of what the kernel believed.")
    fields.field("reservedRegions", \.diff.reservedRegions, "Differences of the fixed regions.")
    fields.field(
      "findings", \.diff.findings,
      "Differences of the findings, which are carried over from both reports.")
    fields.field("cuts", \.cuts, Cut.meaning, since: "0.1.0")
  }
}
