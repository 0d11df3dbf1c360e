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
    write(meaning: meaning + Self.common, fields: fields, to: writer)
    writer.key("$defs")
    writer.openObject()
    writeKinds(to: writer)
    for row in rows {
      writer.object(row.name) { write(meaning: row.meaning, fields: row.fields, to: writer) }
    }
    writer.close()
    writer.close()
    // A sink in memory takes everything.
    try? writer.finish()
    return sink.text
  }

  /// Definitions of the kinds of text that the document has.
  func writeKinds(to writer: JSONWriter) {
    for kind in TextKind.allCases where uses(kind) {
      writer.object(kind.rawValue) {
        writer.member("description", kind.meaning)
        writer.member("type", "string")
        if let pattern = kind.pattern { writer.member("pattern", pattern) }
      }
    }
  }

  static let common =
    " Keys are never missing; null is unknown or not applicable; every end is inclusive."

  private func uses(_ kind: TextKind) -> Bool {
    (fields + rows.flatMap(\.fields)).contains { $0.form.uses(kind) }
  }

  /// Writes the members of an object's schema into the object that is open.
  ///
  /// - Parameters:
  ///   - style: which of the fields are left out; such a one may be there as null where it can be null.
  ///   - leading: members in front of the fields: a name, and what writes its schema.
  func write(
    meaning: String, fields: [FieldOutline], style: SchemaStyle = SchemaStyle(),
    leading: [(name: StaticString, schema: (JSONWriter) -> Void)] = [], to writer: JSONWriter
  ) {
    writer.member("description", meaning)
    writer.member("type", "object")
    writer.key("additionalProperties")
    writer.literal("false")
    writer.array("required") {
      for member in leading { writer.string("\(member.name)") }
      for field in fields where !style.leavesOut(field.form) { writer.string(field.name) }
    }
    writer.object("properties") {
      for member in leading { writer.object(member.name) { member.schema(writer) } }
      for field in fields {
        let isLeftOut = style.leavesOut(field.form)
        var isNullable = false
        if case .nullable = field.form { isNullable = true }
        guard !isLeftOut || isNullable else { continue }
        writer.object(field.name) {
          writer.member("description", field.meaning + field.form.meaningOfWords)
          if isLeftOut {
            writer.member("type", "null")
          } else {
            field.form.write(under: style.prefix, to: writer)
          }
        }
      }
    }
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
  fileprivate func write(under prefix: String, to writer: JSONWriter) {
    switch self {
    case .any: break
    case .flag, .integer, .text: write(isNullable: false, under: prefix, to: writer)
    case .textExcept(let text):
      Form.text(isEmptyAllowed: false).write(isNullable: false, under: prefix, to: writer)
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
      case .flag, .integer, .text: form.write(isNullable: true, under: prefix, to: writer)
      default: Form.either([form]).write(isNullable: true, under: prefix, to: writer)
      }
    case .array(let form, let items):
      writer.key("type")
      writer.string("array")
      writer.key("items")
      writer.openObject()
      form.write(under: prefix, to: writer)
      writer.close()
      if let items {
        writer.key("minItems")
        writer.integer(items.lowerBound)
        writer.key("maxItems")
        writer.integer(items.upperBound)
      }
    case .row(let name):
      writer.key("$ref")
      writer.string("#/$defs/\(prefix)\(name)")
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
    case .either: write(isNullable: false, under: prefix, to: writer)
    }
  }

  private func write(isNullable: Bool, under prefix: String, to writer: JSONWriter) {
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
        form.write(under: prefix, to: writer)
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
