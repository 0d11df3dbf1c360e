// SPDX-License-Identifier: Apache-2.0

/// What a document is made of. Each type states its form once, and four readers of that statement
/// make everything else from it: the JSON text (`JSONWriter`), reading back (`JSONReader`), the JSON
/// Schema, and the reference page of the manual.
///
/// Rows state their fields (`DocumentRow`), enumerations their cases (`DocumentChoice`); the leaves,
/// `Optional` and `Array` know their form by their type.
protocol DocumentValue {
  func write(to writer: JSONWriter)

  static func read(from reader: JSONReader) throws(JSONReadingError) -> Self

  /// The form of the type; rows that it holds are entered into the catalogue.
  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form

  /// What becomes of the type where a document is written as lines.
  static var lineKind: LineKind { get }

  /// Whether the value is written as `null`.
  var isNull: Bool { get }

  /// Writes the members of an object, without its braces.
  func writeMembers(to writer: JSONWriter)

  /// Writes the lists inside that become lines.
  func writeLists(to lines: LineWriter, at place: LinePlace)

  // What is done to the items of an array; a requirement, so that `LongRow` has code of its own.

  static func write(items: [Self], to writer: JSONWriter)

  static func readItems(from reader: JSONReader) throws(JSONReadingError) -> [Self]

  static func writeLines(of items: [Self], to lines: LineWriter, at place: LinePlace)
}

/// An object whose fields are stated one by one.
///
/// There are more than a hundred kinds of rows and five visitors of their fields. Code for each pair
/// would be most of this room, and most of the time that a release build takes, for rows of which a
/// document has a handful; so what is done to rows here is not specialized, and only `LongRow` is.
protocol DocumentRow: DocumentValue {
  /// What the schema and the manual call the row; unique in a document.
  static var rowName: String { get }

  /// A sentence about the row.
  static var rowMeaning: String { get }

  /// A row to be filled by a reader; `nil` for rows that are only written.
  static var blank: Self? { get }

  /// States every field: its name, where it is, what it means.
  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Self
}

extension DocumentRow {
  static var blank: Self? { nil }

  func write(to writer: JSONWriter) {
    writer.openObject()
    writeMembers(to: writer)
    writer.close()
  }

  @_semantics("optimize.sil.specialize.generic.never")
  func writeMembers(to writer: JSONWriter) { writeFields(to: writer) }

  @_semantics("optimize.sil.specialize.generic.never")
  static func read(from reader: JSONReader) throws(JSONReadingError) -> Self {
    try readFields(from: reader)
  }

  fileprivate func writeFields(to writer: JSONWriter) {
    var fields = RowWriter(row: self, writer: writer)
    Self.describe(&fields)
  }

  fileprivate static func readFields(from reader: JSONReader) throws(JSONReadingError) -> Self {
    guard let blank else { throw reader.error(.notReadable) }
    guard reader.take(UInt8(ascii: "{")) else { throw reader.wrongType("an object") }
    var fields = RowReader(reader, blank)
    describe(&fields)
    return try fields.finish()
  }

  @_semantics("optimize.sil.specialize.generic.never")
  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    catalogue.row(rowName, meaning: rowMeaning, isLong: lineKind == .longRow) {
      var fields = FieldCollector<Self>(catalogue)
      describe(&fields)
      return fields.fields
    }
  }
}

/// A row whose lists grow with memory, not with the machine: millions of them may stand in one
/// document. Such rows have code of their own, and a line of their own where a document is written as
/// lines, wherever they stand.
protocol LongRow: DocumentRow {
  /// A row in the one form that is read without a step for each field; `nil`, with nothing consumed,
  /// where it has another, or there is no such form.
  static func readAtOnce(from reader: JSONReader) -> Self?
}

extension LongRow {
  @inline(__always)
  static func readAtOnce(from reader: JSONReader) -> Self? { nil }

  static var lineKind: LineKind { .longRow }

  /// Not inlined: rows hold rows, and a document's code would hold that of all below it.
  @inline(never)
  func writeMembers(to writer: JSONWriter) { writeFields(to: writer) }

  static func read(from reader: JSONReader) throws(JSONReadingError) -> Self {
    if let row = readAtOnce(from: reader) { return row }
    return try readFields(from: reader)
  }

  static func write(items: [Self], to writer: JSONWriter) { writeEach(of: items, to: writer) }

  static func readItems(from reader: JSONReader) throws(JSONReadingError) -> [Self] {
    try readEach(from: reader)
  }

  static func writeLines(of items: [Self], to lines: LineWriter, at place: LinePlace) {
    lines.rows(items, at: place)
  }
}

/// A word out of a fixed list.
protocol DocumentChoice: DocumentValue, CaseIterable, RawRepresentable where RawValue == String {
  var meaning: StaticString { get }
}

extension DocumentChoice {
  @inline(__always)
  func write(to writer: JSONWriter) { writer.string(rawValue) }

  static func read(from reader: JSONReader) throws(JSONReadingError) -> Self {
    _ = reader.peek()
    let start = reader.position
    let text = try reader.string()
    guard let value = Self(rawValue: text) else { throw reader.error(noChoice(text), at: start) }
    return value
  }

  @_semantics("optimize.sil.specialize.generic.never")
  private static func noChoice(_ text: String) -> JSONReadingError.Problem {
    let words = allCases.map(\.rawValue).joined(separator: ", ")
    return .wrongValue(expected: "one of \(words)", found: "\"\(text.prefix(40))\"")
  }

  @_semantics("optimize.sil.specialize.generic.never")
  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    .choice(allCases.map { Form.Choice(word: $0.rawValue, meaning: "\($0.meaning)") })
  }
}

extension DocumentValue {
  /// Of values that are only written.
  static func read(from reader: JSONReader) throws(JSONReadingError) -> Self {
    throw reader.error(.notReadable)
  }

  @_semantics("optimize.sil.specialize.generic.never")
  static func write(items: [Self], to writer: JSONWriter) { writeEach(of: items, to: writer) }

  @_semantics("optimize.sil.specialize.generic.never")
  static func readItems(from reader: JSONReader) throws(JSONReadingError) -> [Self] {
    try readEach(from: reader)
  }

  @_semantics("optimize.sil.specialize.generic.never")
  static func writeLines(of items: [Self], to lines: LineWriter, at place: LinePlace) {
    lines.rows(items, at: place)
  }

  fileprivate static func writeEach(of items: [Self], to writer: JSONWriter) {
    writer.openArray()
    for item in items {
      item.write(to: writer)
      if writer.hasFailed { break }
    }
    writer.close()
  }

  fileprivate static func readEach(
    from reader: JSONReader
  ) throws(JSONReadingError) -> [Self] {
    guard reader.take(UInt8(ascii: "[")) else { throw reader.wrongType("an array") }
    var result: [Self] = []
    if reader.take(UInt8(ascii: "]")) { return result }
    repeat {
      do {
        result.append(try read(from: reader))
      } catch {
        throw error.inside(item: result.count)
      }
    } while reader.take(UInt8(ascii: ","))
    try reader.expect(UInt8(ascii: "]"))
    return result
  }
}

extension Optional: DocumentValue where Wrapped: DocumentValue {
  @inline(__always)
  func write(to writer: JSONWriter) {
    if let self { self.write(to: writer) } else { writer.literal("null") }
  }

  static func read(from reader: JSONReader) throws(JSONReadingError) -> Self {
    reader.take("null") ? nil : .some(try Wrapped.read(from: reader))
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    .nullable(Wrapped.form(refinement, in: catalogue))
  }
}

extension Array: DocumentValue where Element: DocumentValue {
  func write(to writer: JSONWriter) { Element.write(items: self, to: writer) }

  static func read(from reader: JSONReader) throws(JSONReadingError) -> Self {
    try Element.readItems(from: reader)
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    .array(
      Element.form(FormRefinement(refinement.leaf), in: catalogue), items: refinement.items)
  }
}
