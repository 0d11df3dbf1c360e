// SPDX-License-Identifier: Apache-2.0

/// Visits the fields of a row in the document's order.
protocol FieldVisitor {
  associatedtype Row

  /// A field that is stored in the row.
  ///
  /// - Parameters:
  ///   - name: the key in the document.
  ///   - path: where the row has it.
  ///   - meaning: for the schema and the manual; never empty.
  ///   - form: what its type does not say.
  ///   - since: the version that brought a field into a form that older versions wrote without it;
  ///     a reader takes the blank row's value where it is missing.
  mutating func field<Value: DocumentValue>(
    _ name: StaticString, _ path: WritableKeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement, since: StaticString?)

  /// A field that follows from others; readers pass it by.
  mutating func derived<Value: DocumentValue>(
    _ name: StaticString, _ path: KeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement)

  /// A field with the same text in every row.
  mutating func constant(_ name: StaticString, _ text: StaticString, _ meaning: StaticString)
}

extension FieldVisitor {
  @inline(__always)
  mutating func field<Value: DocumentValue>(
    _ name: StaticString, _ path: WritableKeyPath<Row, Value>, _ meaning: StaticString,
    _ form: @autoclosure () -> FormRefinement = .plain, since: StaticString? = nil
  ) {
    field(name, path, meaning, form: form(), since: since)
  }

  @inline(__always)
  mutating func derived<Value: DocumentValue>(
    _ name: StaticString, _ path: KeyPath<Row, Value>, _ meaning: StaticString,
    _ form: @autoclosure () -> FormRefinement = .plain
  ) {
    derived(name, path, meaning, form: form())
  }
}

/// Writes a row.
struct RowWriter<Row>: FieldVisitor {
  let row: Row
  let writer: JSONWriter

  @inline(__always)
  mutating func field<Value: DocumentValue>(
    _ name: StaticString, _ path: WritableKeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement, since: StaticString?
  ) {
    let value = row[keyPath: path]
    if writer.leavesOut(Value.lineKind), !value.isNull { return }
    writer.key(name)
    value.write(to: writer)
  }

  @inline(__always)
  mutating func derived<Value: DocumentValue>(
    _ name: StaticString, _ path: KeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement
  ) {
    let value = row[keyPath: path]
    if writer.leavesOut(Value.lineKind), !value.isNull { return }
    writer.key(name)
    value.write(to: writer)
  }

  mutating func constant(_ name: StaticString, _ text: StaticString, _ meaning: StaticString) {
    writer.key(name)
    writer.string("\(text)")
  }
}

/// Fills a row from an object.
///
/// Documents of this program have their keys in order, and each value is read where it stands. As
/// soon as a key is another one, the object is indexed once and the fields are looked up, so keys
/// may come in any order, and ones that this version does not know are passed by.
struct RowReader<Row>: FieldVisitor {
  private let reader: JSONReader
  private var row: Row
  /// Where the first key stands.
  private let start: Int
  private var isFirst = true
  private var index: (values: [String: Int], end: Int)?
  /// The first error; after it no field is read.
  private var failure: JSONReadingError?

  init(_ reader: JSONReader, _ blank: Row) {
    self.reader = reader
    row = blank
    start = reader.position
  }

  @inline(__always)
  mutating func field<Value: DocumentValue>(
    _ name: StaticString, _ path: WritableKeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement, since: StaticString?
  ) {
    guard begin(name, isRequired: since == nil) else { return }
    do {
      row[keyPath: path] = try Value.read(from: reader)
    } catch {
      failure = error.inside(name)
    }
  }

  mutating func derived<Value: DocumentValue>(
    _ name: StaticString, _ path: KeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement
  ) {
    guard begin(name, isRequired: true) else { return }
    do { try reader.skipValue() } catch { failure = error.inside(name) }
  }

  mutating func constant(_ name: StaticString, _ text: StaticString, _ meaning: StaticString) {
    guard begin(name, isRequired: true) else { return }
    _ = reader.peek()
    let start = reader.position
    do {
      let found = try reader.string()
      guard found == "\(text)" else {
        failure = reader.error(
          .otherSchema(expected: "\(text)", found: String(found.prefix(80))), at: start)
        return
      }
    } catch {
      failure = error.inside(name)
    }
  }

  /// Moves to the value of `name`; `false` where there is none to read.
  @inline(__always)
  private mutating func begin(_ name: StaticString, isRequired: Bool) -> Bool {
    guard failure == nil else { return false }
    if index == nil {
      let before = reader.position
      if isFirst || reader.take(UInt8(ascii: ",")) {
        _ = reader.peek()
        if reader.take(key: name) {
          isFirst = false
          return true
        }
      }
      reader.move(to: before)
    }
    return lookUp(name, isRequired: isRequired)
  }

  @inline(never)
  private mutating func lookUp(_ name: StaticString, isRequired: Bool) -> Bool {
    do {
      let known: (values: [String: Int], end: Int)
      if let index { known = index } else { known = try reader.index(from: start) }
      index = known
      if let place = known.values["\(name)"] {
        reader.move(to: place)
        return true
      }
      if isRequired { failure = reader.error(.missingKey("\(name)"), at: start) }
    } catch {
      failure = error
    }
    return false
  }

  mutating func finish() throws(JSONReadingError) -> Row {
    if let failure { throw failure }
    if let index {
      reader.move(to: index.end)
    } else if !reader.take(UInt8(ascii: "}")) {
      // Keys that nobody asked for: checked, and passed by.
      reader.move(to: try reader.index(from: start).end)
    }
    return row
  }
}

/// Collects what a row's fields are.
struct FieldCollector<Row>: FieldVisitor {
  private let catalogue: FormCatalogue
  private(set) var fields: [FieldOutline] = []

  init(_ catalogue: FormCatalogue) {
    self.catalogue = catalogue
  }

  mutating func field<Value: DocumentValue>(
    _ name: StaticString, _ path: WritableKeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement, since: StaticString?
  ) {
    fields.append(
      FieldOutline(
        name: "\(name)", meaning: "\(meaning)", form: Value.form(form(), in: catalogue),
        since: since.map { "\($0)" }))
  }

  mutating func derived<Value: DocumentValue>(
    _ name: StaticString, _ path: KeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement
  ) {
    fields.append(
      FieldOutline(
        name: "\(name)", meaning: "\(meaning)", form: Value.form(form(), in: catalogue)))
  }

  mutating func constant(_ name: StaticString, _ text: StaticString, _ meaning: StaticString) {
    fields.append(FieldOutline(name: "\(name)", meaning: "\(meaning)", form: .constant("\(text)")))
  }
}
