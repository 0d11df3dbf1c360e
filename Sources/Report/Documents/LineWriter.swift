// SPDX-License-Identifier: Apache-2.0

/// What becomes of a value where a document is written as lines.
enum LineKind: Hashable, Sendable {
  /// It stays where it stands.
  case inline
  /// An object: a list of such becomes lines.
  case row
  /// An object that has a line of its own even inside the row of another list.
  case longRow
  /// A list of rows: lines, unless it stands inside the row of another list.
  case rows
  /// A list of long rows: always lines.
  case longRows
}

/// Where in a document a value stands.
struct LinePlace {
  /// The keys that lead here, joined with dots; empty at the top.
  var path: String
  /// The line that the value is part of; `nil` outside of all lists.
  var owner: Int?

  static let top = LinePlace(path: "", owner: nil)

  func inside(_ key: StaticString) -> LinePlace {
    LinePlace(path: path.isEmpty ? "\(key)" : "\(path).\(key)", owner: owner)
  }
}

/// Writes a document as lines of JSON, as it goes: nothing is kept but the line at hand.
///
/// Each line begins with `list`, the place of its list in the document, and `row`, its number in
/// all lists of that place; lists inside the rows of another one have `of`, the number of the row
/// that they are part of. The first line (`document`) is what is left of the document, the last
/// (`end`) how many lines came before it: without it the output was cut.
final class LineWriter {
  private let writer: JSONWriter
  private var counts: [String: Int] = [:]
  private var total = 0

  init(_ sink: any ByteSink) {
    writer = JSONWriter(sink, style: .head)
  }

  var hasFailed: Bool { writer.hasFailed }

  func head(_ row: some DocumentRow) {
    writer.style = .head
    writer.openObject()
    writer.key("list")
    writer.string("document")
    row.writeMembers(to: writer)
    writer.close()
    writer.endLine()
    writer.style = .line
    total += 1
  }

  /// Writes the rows of a list, and the lists inside them that have lines of their own.
  func rows<Row: DocumentValue>(_ rows: [Row], at place: LinePlace) {
    var number = counts[place.path, default: 0]
    for row in rows {
      if writer.hasFailed { return }
      writer.openObject()
      writer.key("list")
      writer.string(place.path)
      writer.key("row")
      writer.integer(number)
      if let owner = place.owner {
        writer.key("of")
        writer.integer(owner)
      }
      row.writeMembers(to: writer)
      writer.close()
      writer.endLine()
      row.writeLists(to: self, at: LinePlace(path: place.path, owner: number))
      number += 1
    }
    counts[place.path] = number
    total += rows.count
  }

  /// Hands all lines to the sink, for rows that take long to make.
  func flush() throws(OutputError) { try writer.flush() }

  func finish() throws(OutputError) {
    writer.openObject()
    writer.key("list")
    writer.string("end")
    writer.key("lines")
    writer.integer(total)
    writer.close()
    try writer.finish()
  }
}

// MARK: - What each kind of value does

extension DocumentValue {
  static var lineKind: LineKind { .inline }

  var isNull: Bool { false }

  func writeMembers(to writer: JSONWriter) {}

  func writeLists(to lines: LineWriter, at place: LinePlace) {}
}

extension DocumentRow {
  static var lineKind: LineKind { .row }

  @_semantics("optimize.sil.specialize.generic.never")
  func writeLists(to lines: LineWriter, at place: LinePlace) { findLists(for: lines, at: place) }

  fileprivate func findLists(for lines: LineWriter, at place: LinePlace) {
    var fields = ListFinder(row: self, lines: lines, place: place)
    Self.describe(&fields)
  }
}

extension LongRow {
  func writeLists(to lines: LineWriter, at place: LinePlace) { findLists(for: lines, at: place) }
}

extension Optional where Wrapped: DocumentValue {
  static var lineKind: LineKind { Wrapped.lineKind }

  var isNull: Bool { self == nil }

  func writeLists(to lines: LineWriter, at place: LinePlace) {
    self?.writeLists(to: lines, at: place)
  }
}

extension Array where Element: DocumentValue {
  static var lineKind: LineKind {
    switch Element.lineKind {
    case .row: .rows
    case .longRow: .longRows
    case .inline, .rows, .longRows: .inline
    }
  }

  func writeLists(to lines: LineWriter, at place: LinePlace) {
    switch Self.lineKind {
    case .longRows: Element.writeLines(of: self, to: lines, at: place)
    case .rows where place.owner == nil: Element.writeLines(of: self, to: lines, at: place)
    case .inline, .row, .longRow, .rows: break
    }
  }
}

/// Visits the fields of a row for lists that become lines.
private struct ListFinder<Row>: FieldVisitor {
  let row: Row
  let lines: LineWriter
  let place: LinePlace

  @inline(never)
  mutating func field<Value: DocumentValue>(
    _ name: StaticString, _ path: WritableKeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement, since: StaticString?
  ) {
    // Most fields are no rows and hold none.
    guard Value.lineKind != .inline else { return }
    row[keyPath: path].writeLists(to: lines, at: place.inside(name))
  }

  @inline(never)
  mutating func derived<Value: DocumentValue>(
    _ name: StaticString, _ path: KeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement
  ) {
    guard Value.lineKind != .inline else { return }
    row[keyPath: path].writeLists(to: lines, at: place.inside(name))
  }

  mutating func constant(_ name: StaticString, _ text: StaticString, _ meaning: StaticString) {}
}
