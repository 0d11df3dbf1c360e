// SPDX-License-Identifier: Apache-2.0

extension HTMLPage {
  /// A column of a table.
  struct Column {
    var title: String
    /// What it means, for who points at it.
    var meaning: String = ""
    var isNumeric = false
  }

  /// A table that sorts and filters where JavaScript is present.
  ///
  /// - Parameters:
  ///   - name: what its rows are, for the caption and the filter's label.
  ///   - count: how many rows there are.
  ///   - prefix: begins the ids of the rows, `units-0` and on.
  ///   - taken: how many of the rows were taken from the budget before, so that links could lead to them;
  ///     `nil` to take them now.
  ///   - id: the id of a row, in place of the prefix and its number.
  ///   - row: writes the cells of a row, with `cell`.
  func table(
    _ name: String, _ columns: [Column], count: Int, prefix: String, taken: Int? = nil,
    id: ((Int) -> String)? = nil, row: (Int) -> Void
  ) {
    let shown = min(count, taken ?? take(count))
    if shown > 8 {
      writer.open("div", [("class", "tools js")])
      writer.open("label")
      writer.text("Filter \(name)")
      writer.open("input", [("type", "search"), ("autocomplete", "off")])
      writer.close("label")
      writer.open("output")
      writer.close("output")
      writer.close("div")
    }
    writer.open(
      "div", [("class", "scroll"), ("role", "region"), ("tabindex", "0"), ("aria-label", name)])
    writer.open("table", [("class", "data")])
    writer.open("caption")
    writer.text(
      "\(name.prefix(1).uppercased())\(name.dropFirst()): \(Quantity.grouped(UInt64(max(0, count))))"
    )
    writer.close("caption")
    writer.markup("<thead><tr>")
    for column in columns {
      var attributes: HTMLWriter.Attributes = [("scope", "col")]
      if column.isNumeric { attributes.append(("class", "num")) }
      if !column.meaning.isEmpty { attributes.append(("title", column.meaning)) }
      writer.element("th", attributes, column.title)
    }
    writer.markup("</tr></thead>\n<tbody>")
    for index in 0..<shown {
      writer.open("tr", [("id", id?(index) ?? "\(prefix)-\(index)")])
      row(index)
      writer.markup("</tr>\n")
      if writer.hasFailed { return }
    }
    writer.markup("</tbody></table></div>\n")
    if shown < count { cut(count - shown) }
  }

  /// A cell that holds a value.
  func cell(_ value: Shown, of field: StaticString) {
    var attributes: HTMLWriter.Attributes = []
    switch value {
    case .word, .address: attributes = [("class", "w num"), ("data-k", value.key)]
    case .number: attributes = [("class", "num"), ("data-k", value.key)]
    case .nothing, .text, .flag, .list, .key, .row: break
    }
    writer.element("td", attributes) {
      if case .text(let text) = value, text.utf8.count > 40 {
        writer.element("span", [("class", "long")], text)
      } else {
        self.value(value, of: "\(field)")
      }
    }
  }

  func cell(_ text: String) { writer.element("td", text) }

  func cell(number: Int, _ text: String? = nil) {
    writer.element(
      "td", [("class", "num"), ("data-k", "\(number)")],
      text ?? Quantity.grouped(UInt64(max(0, number))))
  }

  /// A size, sorted by its bytes.
  func cell(bytes: UInt64) {
    writer.element(
      "td", [("class", "num"), ("data-k", "\(bytes)"), ("title", "\(bytes) bytes")],
      Quantity.iec(bytes) ?? "\(bytes) B")
  }

  /// A list of rows of a document: some of their fields as columns, the rest folded in each row.
  ///
  /// - Parameters:
  ///   - prefix: begins the ids of the rows, `units-0` and on.
  ///   - columns: names of fields, in the order of the columns.
  ///   - taken: as for `table`.
  ///   - extra: writes what belongs to a row beside its fields, such as its words decoded.
  func rows<Row: DocumentRow>(
    _ rows: [Row], _ name: String, prefix: String, columns: [String], taken: Int? = nil,
    extra: ((Int) -> Void)? = nil
  ) {
    guard let first = rows.first else {
      paragraph("none", dim: true)
      return
    }
    let known = ShownField.fields(of: first)
    let places = columns.compactMap { column in
      known.firstIndex { "\($0.name)" == column }
    }
    var heads = places.map { place in
      Column(
        title: Self.label(known[place].name), meaning: "\(known[place].meaning)",
        isNumeric: rows.lazy.prefix(16).contains {
          ShownField.fields(of: $0)[place].value.isNumeric
        })
    }
    heads.append(Column(title: "all of it"))
    table(name, heads, count: rows.count, prefix: prefix, taken: taken) { index in
      let fields = ShownField.fields(of: rows[index])
      for place in places { cell(fields[place].value, of: fields[place].name) }
      writer.element("td") {
        writer.open("details")
        writer.element("summary", "fields")
        list(fields)
        extra?(index)
        writer.close("details")
      }
    }
  }
}
