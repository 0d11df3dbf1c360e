// SPDX-License-Identifier: Apache-2.0

public import Memory
public import Survey

/// The document of `survey`.
public struct SurveyDocument: Hashable, Sendable {
  public var tool: Tool
  /// Where was looked, as it was given.
  public var paths: [String]
  /// Files met on the way that are no dumps.
  public var others: Int
  /// The worst first.
  public var dumps: [SurveyedDump]
  public var groups: [SurveyGroup]
  /// Where work on any of the dumps ended early; empty where all was looked at.
  public var cuts: [Cut] { dumps.flatMap(\.cuts) }

  public init(
    paths: [String], others: Int, dumps: [SurveyedDump], tool: Tool = .current
  ) {
    self.tool = tool
    self.paths = paths
    self.others = others
    self.dumps = dumps.sorted(by: SurveyedDump.isWorse)
    groups = SurveyGroup.groups(of: self.dumps)
  }
}

extension SurveyDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(SurveyDocument.self, verb: "survey")
  public var body: DocumentBody { DocumentBody(self) }

  static var rowName: String { "survey" }
  static var rowMeaning: String { "Many dumps, a row each." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == SurveyDocument {
    fields.constant("schema", "iommuscope-survey/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("paths", \.paths, "Where was looked, as it was given.")
    fields.field("others", \.others, "Files met in folders that are no dumps.", .count)
    fields.field(
      "dumps", \.dumps,
      "The worst first, those that could not be judged last; as lines in the order of the paths.")
    fields.field(
      "groups", \.groups, "Dumps that belong together, the largest group first.")
    fields.derived("cuts", \.cuts, Cut.meaning)
  }
}

/// A survey as lines that are written while dumps are still being read.
public final class SurveyLines {
  private let lines: LineWriter

  public init(paths: [String], others: Int, to sink: any ByteSink) throws(OutputError) {
    lines = LineWriter(sink)
    lines.head(SurveyDocument(paths: paths, others: others, dumps: []))
    try lines.flush()
  }

  /// Writes the row of a dump.
  public func append(_ dump: SurveyedDump) throws(OutputError) {
    lines.rows([dump], at: LinePlace.top.inside("dumps"))
    try lines.flush()
  }

  /// Writes the groups among the dumps, and the end.
  public func finish(_ dumps: [SurveyedDump]) throws(OutputError) {
    lines.rows(
      SurveyGroup.groups(of: dumps.sorted(by: SurveyedDump.isWorse)),
      at: LinePlace.top.inside("groups"))
    try lines.finish()
  }
}

extension SurveyedDump {
  /// The row alone, for a process that judges one dump for another.
  public func writeRow(to sink: any ByteSink) throws(OutputError) { try writeDocument(to: sink) }

  /// Reads what `writeRow` wrote.
  public static func row(_ bytes: [UInt8]) throws(JSONReadingError) -> SurveyedDump {
    try readDocument(bytes)
  }
}
