// SPDX-License-Identifier: Apache-2.0

public import Inheritance
public import Memory
public import RemappingState

/// The document of `inherit`: what a crash kernel would find, under each policy.
public struct InheritDocument: Hashable, Sendable {
  public var tool: Tool
  public var dump: DumpSummary
  public var forecast: Forecast

  /// Where work ended early; empty where all was looked at.
  public var cuts: [Cut]

  public init(dump: DumpSummary, forecast: Forecast, cuts: [Cut] = [], tool: Tool = .current) {
    self.cuts = cuts
    self.tool = tool
    self.dump = dump
    self.forecast = forecast
  }
}

extension InheritDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(InheritDocument.self, verb: "inherit")
  public var body: DocumentBody { DocumentBody(self) }

  static var rowName: String { "inherit" }
  static var rowMeaning: String {
    "What a crash kernel would find after its IOMMU start-up. T1 is the driver's start-up, T2 the new"
      + " root pointer, T3 a driver's attach, T4 the saving of the dump."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == InheritDocument {
    fields.constant("schema", "iommuscope-inherit/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("dump", \.dump, "The dump that was read.")
    fields.field(
      "crashKernel", \.forecast.crashKernel, "What the forecast takes the crash kernel to be.")
    fields.field(
      "inherited", \.forecast.inherited,
      "Contexts of this dump that were themselves inherited: it is that of a crash kernel.")
    fields.field(
      "observed", \.forecast.observed,
      "What a crash kernel whose memory is in the dump as well has really done.")
    fields.field("policies", \.forecast.policies, "A forecast for each policy that was asked for.")
    fields.field(
      "liveUpdate", \.forecast.liveUpdate,
      "What a live update keeps, clears and refuses; null where that policy was not asked for.")
    fields.field("recommendation", \.forecast.recommendation, "Which policy to follow.")
    fields.field(
      "changedAfterPanic", \.forecast.changedAfterPanic,
      "Pages that devices may have written after the panic.")
    fields.field(
      "outlook", \.forecast.outlook,
      "Whether a crash kernel that does what Linux does gets through, and what to do about it.")
    fields.field("cuts", \.cuts, Cut.meaning, since: "0.1.0")
  }
}
