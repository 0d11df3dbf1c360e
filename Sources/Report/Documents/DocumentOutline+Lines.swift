// SPDX-License-Identifier: Apache-2.0

/// How the objects of a schema are meant: as in the document, or as in its lines.
struct SchemaStyle {
  /// In front of the names of rows, so that one schema may hold two forms of them.
  var prefix = ""
  /// What has lines of its own and is left out.
  var lines: Set<LineKind> = []
  /// Rows whose lists grow with memory.
  var longRows: Set<String> = []

  func leavesOut(_ form: Form) -> Bool { lines.contains(kind(of: form)) }

  /// What becomes of a value where its document is written as lines; see `LineKind`.
  func kind(of form: Form) -> LineKind {
    switch form {
    case .nullable(let form): return kind(of: form)
    case .row(let name): return longRows.contains(name) ? .longRow : .row
    case .array(let form, _):
      switch kind(of: form) {
      case .row: return .rows
      case .longRow: return .longRows
      case .inline, .rows, .longRows: return .inline
      }
    case .either(let forms):
      return !forms.isEmpty && forms.allSatisfy { kind(of: $0) == .row } ? .row : .inline
    default: return .inline
    }
  }
}

extension DocumentOutline {
  /// A list whose rows are lines.
  private struct LineList {
    var path: String
    /// What its lines are called in the schema; a list of rows of several forms stands there several
    /// times.
    var name: String
    var row: FormCatalogue.RowOutline
    /// Whether its lines name the row that they are part of.
    var hasOwner: Bool
  }

  /// The JSON Schema (draft 2020-12) that every line of the document validates against, each by the place of
  /// its list.
  public var lineSchema: String {
    let sink = MemorySink()
    let writer = JSONWriter(sink)
    let lists = lineLists
    writer.object {
      writer.member("$schema", "https://json-schema.org/draft/2020-12/schema")
      writer.member("$id", "urn:iommuscope:\(verb):1:lines")
      writer.member("title", "\(schema), a line")
      writer.member(
        "description",
        "A line of the document as lines: what it says of itself, a row of one of its lists, or the end."
          + Self.common)
      writer.array("oneOf") {
        for name in ["document"] + lists.map(\.name) + ["end"] {
          writer.object { writer.member("$ref", "#/$defs/list:\(name)") }
        }
      }
      writer.object("$defs") {
        writeKinds(to: writer)
        writeHead(to: writer)
        let style = style(leavingOut: [.longRows])
        for list in lists { write(list, style, to: writer) }
        for row in rows {
          writer.object(row.name) {
            write(meaning: row.meaning, fields: row.fields, style: style, to: writer)
          }
        }
        writeEnd(to: writer)
      }
    }
    // A sink in memory takes everything.
    try? writer.finish()
    return sink.text
  }

  private func style(leavingOut lines: Set<LineKind>, prefix: String = "") -> SchemaStyle {
    SchemaStyle(
      prefix: prefix, lines: lines, longRows: Set(rows.lazy.filter(\.isLong).map(\.name)))
  }

  /// The first line, and the rows that stay in it.
  private func writeHead(to writer: JSONWriter) {
    let style = style(leavingOut: [.rows, .longRows], prefix: "document:")
    writer.object("list:document") {
      write(
        meaning: meaning, fields: fields, style: style,
        leading: [("list", { $0.member("const", "document") })], to: writer)
    }
    for row in rows {
      writer.object(style.prefix + row.name) {
        write(meaning: row.meaning, fields: row.fields, style: style, to: writer)
      }
    }
  }

  private func write(_ list: LineList, _ style: SchemaStyle, to writer: JSONWriter) {
    func number(_ meaning: String) -> (JSONWriter) -> Void {
      { writer in
        writer.member("description", meaning)
        writer.member("type", "integer")
        writer.member("minimum", 0)
      }
    }
    var leading: [(name: StaticString, schema: (JSONWriter) -> Void)] = [
      ("list", { $0.member("const", list.path) }),
      ("row", number("Its number among the rows of that place.")),
    ]
    if list.hasOwner {
      leading.append(("of", number("The number of the row that it is part of.")))
    }
    writer.object("list:\(list.name)") {
      write(
        meaning: list.row.meaning, fields: list.row.fields, style: style, leading: leading,
        to: writer)
    }
  }

  private func writeEnd(to writer: JSONWriter) {
    writer.object("list:end") {
      write(
        meaning: "The last line; without it the output was cut.", fields: [],
        leading: [
          ("list", { $0.member("const", "end") }),
          (
            "lines",
            { writer in
              writer.member("description", "How many lines came before it.")
              writer.member("type", "integer")
              writer.member("minimum", 1)
            }
          ),
        ], to: writer)
    }
  }

  /// The lists in the order in which a document's lines come, each where it is met first.
  private var lineLists: [LineList] {
    let style = style(leavingOut: [])
    var lists: [LineList] = []
    func visit(_ fields: [FieldOutline], at path: String, hasOwner: Bool, inside names: [String]) {
      for field in fields {
        let kind = style.kind(of: field.form)
        let place = path.isEmpty ? field.name : "\(path).\(field.name)"
        let isList = kind == .longRows || kind == .rows && !hasOwner
        guard isList || kind == .row || kind == .longRow else { continue }
        let forms = field.form.rowNames
        for name in forms {
          // A row in a row of its own kind would have no last place.
          guard !names.contains(name), let row = rows.first(where: { $0.name == name }) else {
            continue
          }
          if isList {
            lists.append(
              LineList(
                path: place, name: forms.count == 1 ? place : "\(place):\(name)", row: row,
                hasOwner: hasOwner))
          }
          visit(row.fields, at: place, hasOwner: hasOwner || isList, inside: names + [name])
        }
      }
    }
    visit(fields, at: "", hasOwner: false, inside: [])
    return lists
  }
}

extension Form {
  /// The rows that a value may be, or that its items may be.
  fileprivate var rowNames: [String] {
    switch self {
    case .row(let name): [name]
    case .nullable(let form), .array(let form, _): form.rowNames
    case .either(let forms): forms.flatMap(\.rowNames)
    default: []
    }
  }
}
