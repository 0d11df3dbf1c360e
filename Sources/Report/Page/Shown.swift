// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import Memory
internal import RemappingState
internal import StateDiff

/// A value of a document as a page shows it.
enum Shown {
  /// Unknown, or not applicable.
  case nothing
  case text(String)
  case flag(Bool)
  /// With its digits, and what it is sorted by.
  case number(String, Double)
  /// A word, or an address of another space than memory's, in hexadecimal.
  case word(UInt64)
  /// A physical address, which may be that of a table.
  case address(UInt64)
  case list([Shown])
  /// What makes a row the same row elsewhere: a few values in one line.
  case key([(name: String, value: Shown)])
  case row([ShownField])

  /// One line of it; empty for rows.
  var line: String {
    switch self {
    case .nothing: "-"
    case .text(let text): text
    case .flag(let flag): flag ? "yes" : "no"
    case .number(let text, _): text
    case .word(let word), .address(let word): HexWord(word).description
    case .list(let values): values.map(\.line).joined(separator: ", ")
    case .key(let members): members.map(\.value.line).joined(separator: " ")
    case .row: ""
    }
  }

  /// What a column is sorted by: numbers before texts.
  var key: String {
    switch self {
    case .number(_, let number): "\(number)"
    case .word(let word), .address(let word): "\(word)"
    case .list(let values): "\(values.count)"
    case .flag(let flag): flag ? "1" : "0"
    case .nothing, .text, .key, .row: ""
    }
  }

  var isNumeric: Bool {
    switch self {
    case .number, .word, .address: true
    default: false
    }
  }

  /// Whether it needs more than a line.
  var isNested: Bool {
    switch self {
    case .row: true
    case .list(let values): values.contains { $0.isNested } || values.count > 6
    default: false
    }
  }
}

/// A field of a row with what it means.
struct ShownField {
  var name: StaticString
  var meaning: StaticString
  var value: Shown
}

/// A value that knows how it is shown; what is none of these is shown by the words of its document.
protocol ShownValue {
  var shown: Shown { get }
}

extension Shown {
  /// How a value of a document is shown.
  init(_ value: some DocumentValue) {
    if let value = value as? any ShownValue {
      self = value.shown
    } else if let row = value as? any DocumentRow {
      self = .row(ShownField.fields(of: row))
    } else if let choice = value as? any DocumentChoice {
      self = .text(choice.rawValue)
    } else {
      self = .nothing
    }
  }
}

extension ShownField {
  /// The fields of a row, in the document's order.
  @_semantics("optimize.sil.specialize.generic.never")
  static func fields<Row: DocumentRow>(of row: Row) -> [ShownField] {
    var collector = ShownFields(row: row)
    Row.describe(&collector)
    return collector.fields
  }
}

private struct ShownFields<Row>: FieldVisitor {
  let row: Row
  var fields: [ShownField] = []

  mutating func field<Value: DocumentValue>(
    _ name: StaticString, _ path: WritableKeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement, since: StaticString?
  ) {
    fields.append(ShownField(name: name, meaning: meaning, value: Shown(row[keyPath: path])))
  }

  mutating func derived<Value: DocumentValue>(
    _ name: StaticString, _ path: KeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement
  ) {
    fields.append(ShownField(name: name, meaning: meaning, value: Shown(row[keyPath: path])))
  }

  mutating func constant(_ name: StaticString, _ text: StaticString, _ meaning: StaticString) {}
}

// MARK: - Values

extension Bool: ShownValue { var shown: Shown { .flag(self) } }
extension String: ShownValue { var shown: Shown { .text(self) } }
extension Int: ShownValue { var shown: Shown { .number("\(self)", Double(self)) } }
extension Int32: ShownValue { var shown: Shown { .number("\(self)", Double(self)) } }
extension UInt8: ShownValue { var shown: Shown { .number("\(self)", Double(self)) } }
extension UInt16: ShownValue { var shown: Shown { .number("\(self)", Double(self)) } }
extension UInt32: ShownValue { var shown: Shown { .number("\(self)", Double(self)) } }
extension UInt64: ShownValue { var shown: Shown { .number("\(self)", Double(self)) } }
extension HexWord: ShownValue { var shown: Shown { .word(rawValue) } }
extension PhysicalAddress: ShownValue { var shown: Shown { .address(rawValue) } }
extension IOVirtualAddress: ShownValue { var shown: Shown { .word(rawValue) } }
extension KernelAddress: ShownValue { var shown: Shown { .word(rawValue) } }
extension PCIFunction: ShownValue { var shown: Shown { .text(description) } }
extension DeviceName: ShownValue { var shown: Shown { .text(description) } }
extension Structure: ShownValue { var shown: Shown { .text(description) } }
extension ForecastWord: ShownValue {
  var shown: Shown {
    switch self {
    case .exact(let word): .word(word)
    case .arena: .text(description)
    }
  }
}
extension RowKey: ShownValue {
  var shown: Shown {
    .key(members.filter { $0.value != .null }.map { ($0.name, $0.value.shown) })
  }
}
extension FieldValue: ShownValue { var shown: Shown { .text(description) } }

extension Change: ShownValue {
  var shown: Shown {
    switch self {
    case .field(let change): .row(ShownField.fields(of: change))
    case .mapping(let change): .row(ShownField.fields(of: change))
    }
  }
}

extension Optional: ShownValue where Wrapped: DocumentValue {
  var shown: Shown { map { Shown($0) } ?? .nothing }
}

extension Array: ShownValue where Element: DocumentValue {
  var shown: Shown { .list(map { Shown($0) }) }
}
