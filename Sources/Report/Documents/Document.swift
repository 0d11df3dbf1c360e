// SPDX-License-Identifier: Apache-2.0

/// What a verb prints as JSON: one object with the name of its schema.
public protocol Document: Hashable, Sendable {
  /// What the document is made of.
  static var outline: DocumentOutline { get }

  /// The document as the row that it is.
  var body: DocumentBody { get }
}

/// What a document is written from.
public struct DocumentBody {
  fileprivate let row: any DocumentRow

  init(_ row: some DocumentRow) {
    self.row = row
  }
}

extension Document {
  /// The name and version of the document's form, such as `iommuscope-report/1`.
  public static var schema: String { outline.schema }

  /// The JSON Schema (draft 2020-12) that every such document validates against.
  public static var jsonSchema: String { outline.jsonSchema }

  /// Writes the document, which ends with a line feed; the same value gives the same bytes.
  public func writeJSON(to sink: any ByteSink) throws(OutputError) {
    try body.row.writeDocument(to: sink)
  }

  /// Writes the same as lines of JSON: what the document says of itself, each row of its lists, and an
  /// end that tells how many there were.
  public func writeLines(to sink: any ByteSink) throws(OutputError) {
    let lines = LineWriter(sink)
    lines.head(body.row)
    body.row.writeLists(to: lines, at: .top)
    try lines.finish()
  }
}

extension DocumentRow {
  /// The row as a whole document.
  func writeDocument(to sink: any ByteSink) throws(OutputError) {
    let writer = JSONWriter(sink)
    write(to: writer)
    try writer.finish()
  }

  /// Reads a document that is such a row and nothing else.
  static func readDocument(_ bytes: [UInt8]) throws(JSONReadingError) -> Self {
    let reader = JSONReader(bytes)
    let row = try read(from: reader)
    try reader.expectEnd()
    return row
  }
}

/// Everything that is stated about one kind of document, as plain values.
public struct DocumentOutline: Sendable {
  /// The verb that prints it.
  public let verb: String
  /// `iommuscope-VERB/1`.
  public var schema: String { "iommuscope-\(verb)/1" }
  let meaning: String
  let fields: [FieldOutline]
  /// In the order in which they are met, without the document itself.
  let rows: [FormCatalogue.RowOutline]

  init<Row: DocumentRow>(_ type: Row.Type, verb: String) {
    self.verb = verb
    let catalogue = FormCatalogue()
    _ = Row.form(.plain, in: catalogue)
    meaning = catalogue.rows.first?.meaning ?? ""
    fields = catalogue.rows.first?.fields ?? []
    rows = Array(catalogue.rows.dropFirst())
  }

  /// The documents of all verbs, in the order of the manual.
  public static var all: [DocumentOutline] {
    [
      ReportDocument.outline, InheritDocument.outline, DiffDocument.outline,
      FaultsDocument.outline, OwnersDocument.outline, TranslateDocument.outline,
      TablesDocument.outline, HistoryDocument.outline, CarveDocument.outline,
      SurveyDocument.outline,
    ]
  }
}

/// Reads a report that was written earlier, so that it can stand in for its dump.
public enum ReportReader {
  /// - Throws: for anything but a report of the schema that this program writes, with the byte where
  ///   it fails; nesting, numbers and keys are bounded, whoever wrote the bytes. Keys may come in any
  ///   order, and ones that this version does not know are passed by.
  public static func document(_ bytes: [UInt8]) throws(JSONReadingError) -> ReportDocument {
    try ReportDocument.readDocument(bytes)
  }
}
