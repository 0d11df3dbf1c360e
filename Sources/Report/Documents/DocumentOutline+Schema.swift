// SPDX-License-Identifier: Apache-2.0

extension DocumentOutline {
  /// The JSON Schema (draft 2020-12) of the document.
  public var jsonSchema: String {
    let sink = MemorySink()
    let writer = JSONWriter(sink)
    writer.openObject()
    writer.key("$schema")
    writer.string("https://json-schema.org/draft/2020-12/schema")
    writer.key("$id")
    writer.string("urn:iommuscope:\(verb):1")
    writer.key("title")
    writer.string(schema)
    Self.write(meaning: meaning + Self.common, fields: fields, to: writer)
    writer.key("$defs")
    writer.openObject()
    for kind in TextKind.allCases where uses(kind) {
      writer.key(kind.rawValue)
      writer.openObject()
      writer.key("description")
      writer.string(kind.meaning)
      writer.key("type")
      writer.string("string")
      if let pattern = kind.pattern {
        writer.key("pattern")
        writer.string(pattern)
      }
      writer.close()
    }
    for row in rows {
      writer.key(row.name)
      writer.openObject()
      Self.write(meaning: row.meaning, fields: row.fields, to: writer)
      writer.close()
    }
    writer.close()
    writer.close()
    // A sink in memory takes everything.
    try? writer.finish()
    return sink.text
  }

  private static let common =
    " Keys are never missing; null is unknown or not applicable; every end is inclusive."

  private func uses(_ kind: TextKind) -> Bool {
    (fields + rows.flatMap(\.fields)).contains { $0.form.uses(kind) }
  }

  private static func write(meaning: String, fields: [FieldOutline], to writer: JSONWriter) {
    writer.key("description")
    writer.string(meaning)
    writer.key("type")
    writer.string("object")
    writer.key("additionalProperties")
    writer.literal("false")
    writer.key("required")
    writer.openArray()
    for field in fields { writer.string(field.name) }
    writer.close()
    writer.key("properties")
    writer.openObject()
    for field in fields {
      writer.key(field.name)
      writer.openObject()
      writer.key("description")
      writer.string(field.meaning + field.form.meaningOfWords)
      field.form.write(to: writer)
      writer.close()
    }
    writer.close()
  }
}

extension Form {
  fileprivate func uses(_ kind: TextKind) -> Bool {
    switch self {
    case .pattern(let other): other == kind
    case .nullable(let form), .array(let form, _): form.uses(kind)
    case .either(let forms): forms.contains { $0.uses(kind) }
    case .any, .flag, .integer, .text, .textExcept, .choice, .constant, .numbers, .row, .map: false
    }
  }

  /// The words of an enumeration that need an explanation, each with it.
  var meaningOfWords: String {
    switch self {
    case .choice(let choices):
      choices.filter { !$0.meaning.isEmpty }.map { " \($0.word): \($0.meaning)" }.joined()
    case .nullable(let form), .array(let form, _): form.meaningOfWords
    case .map(let meaning): " " + meaning
    default: ""
    }
  }

  /// Writes the members of the form's schema into the object that is open.
  fileprivate func write(to writer: JSONWriter) {
    switch self {
    case .any: break
    case .flag, .integer, .text: write(isNullable: false, to: writer)
    case .textExcept(let text):
      Form.text(isEmptyAllowed: false).write(isNullable: false, to: writer)
      writer.key("not")
      writer.openObject()
      writer.key("const")
      writer.string(text)
      writer.close()
    case .pattern(let kind):
      writer.key("$ref")
      writer.string("#/$defs/\(kind.rawValue)")
    case .choice(let choices):
      writer.key("enum")
      writer.openArray()
      for choice in choices { writer.string(choice.word) }
      writer.close()
    case .constant(let text):
      writer.key("const")
      writer.string(text)
    case .numbers(let numbers):
      writer.key("enum")
      writer.openArray()
      for number in numbers { writer.integer(number) }
      writer.close()
    case .nullable(.choice(let choices)):
      writer.key("enum")
      writer.openArray()
      for choice in choices { writer.string(choice.word) }
      writer.literal("null")
      writer.close()
    case .nullable(let form):
      switch form {
      case .flag, .integer, .text: form.write(isNullable: true, to: writer)
      default: Form.either([form]).write(isNullable: true, to: writer)
      }
    case .array(let form, let items):
      writer.key("type")
      writer.string("array")
      writer.key("items")
      writer.openObject()
      form.write(to: writer)
      writer.close()
      if let items {
        writer.key("minItems")
        writer.integer(items.lowerBound)
        writer.key("maxItems")
        writer.integer(items.upperBound)
      }
    case .row(let name):
      writer.key("$ref")
      writer.string("#/$defs/\(name)")
    case .map:
      writer.key("type")
      writer.string("object")
      writer.key("minProperties")
      writer.integer(1)
      writer.key("additionalProperties")
      writer.openObject()
      writer.key("type")
      writer.openArray()
      for type in ["string", "integer", "null"] as [String] { writer.string(type) }
      writer.close()
      writer.close()
    case .either: write(isNullable: false, to: writer)
    }
  }

  private func write(isNullable: Bool, to writer: JSONWriter) {
    func type(_ name: String) {
      writer.key("type")
      guard isNullable else {
        writer.string(name)
        return
      }
      writer.openArray()
      writer.string(name)
      writer.string("null")
      writer.close()
    }
    switch self {
    case .flag: type("boolean")
    case .integer(let minimum, let maximum):
      type("integer")
      if let minimum {
        writer.key("minimum")
        writer.integer(minimum)
      }
      if let maximum {
        writer.key("maximum")
        writer.integer(maximum)
      }
    case .text(let isEmptyAllowed):
      type("string")
      if !isEmptyAllowed {
        writer.key("minLength")
        writer.integer(1)
      }
    case .either(let forms):
      writer.key("anyOf")
      writer.openArray()
      for form in forms {
        writer.openObject()
        form.write(to: writer)
        writer.close()
      }
      if isNullable {
        writer.openObject()
        writer.key("type")
        writer.string("null")
        writer.close()
      }
      writer.close()
    default: break
    }
  }
}
