// SPDX-License-Identifier: Apache-2.0

import Memory

/// Lines of at most 100 columns of plain text, with optional colour.
///
/// Everything that is printed passes `Escaping.terminal` here and nowhere else, so a renderer cannot
/// forget it; widths are measured after that.
final class TextPage {
  static let width = 100

  enum Style: String {
    case plain = ""
    case bold = "1"
    case red = "1;31"
    case yellow = "1;33"
    case cyan = "36"
  }

  /// At most this many rows of a list; `nil` for all.
  let limit: Int?
  private let output: TextBuffer
  private let color: Bool

  init(_ sink: any ByteSink, limit: Int?, color: Bool) {
    output = TextBuffer(sink)
    self.limit = limit
    self.color = color
  }

  func finish() throws(OutputError) { try output.flush() }

  /// Ends the page with the places where not all was looked at.
  func finish(_ cuts: [Cut]) throws(OutputError) {
    if !cuts.isEmpty {
      try blank()
      try heading("NOT ALL WAS LOOKED AT")
      for cut in cuts.prefix(shown(cuts.count)) {
        try paragraph("\(cut)", indent: 2, hanging: 2, style: .yellow)
      }
      try self.cut(cuts.count, "places", indent: 2)
    }
    try finish()
  }

  func blank() throws(OutputError) { try output.write("\n") }

  func heading(_ title: String) throws(OutputError) {
    try paragraph(title, style: .bold)
  }

  /// Text from column `indent` on, wrapped; following lines stand `hanging` columns further in.
  func paragraph(
    _ text: String, indent: Int = 0, hanging: Int = 0, style: Style = .plain
  ) throws(OutputError) {
    let lines = PlainText.wrapped(
      Escaping.terminal(text), width: Self.width - indent - hanging)
    for (index, line) in lines.enumerated() {
      try output.write(Self.blanks(index == 0 ? indent : indent + hanging))
      try output.write(styled(line, style) + "\n")
    }
  }

  /// A label and, in its own column, a value that wraps there.
  func field(
    _ label: String, _ value: String, indent: Int = 2, labelWidth: Int = 18,
    labelStyle: Style = .plain
  ) throws(OutputError) {
    let label = PlainText.clipped(Escaping.terminal(label), width: labelWidth - 1)
    let lines = PlainText.wrapped(
      Escaping.terminal(value), width: Self.width - indent - labelWidth)
    for (index, line) in lines.enumerated() {
      if index == 0 {
        let padding = line.isEmpty ? 0 : labelWidth - label.utf8.count
        try output.write(
          Self.blanks(indent) + styled(label, labelStyle) + Self.blanks(padding) + line + "\n")
      } else {
        try output.write(Self.blanks(indent + labelWidth) + line + "\n")
      }
    }
  }

  /// Items in one sentence, cut at the row limit.
  func list(_ items: [String]) -> String {
    guard !items.isEmpty else { return "none" }
    guard let limit, items.count > limit else { return items.joined(separator: ", ") }
    return items.prefix(limit).joined(separator: ", ") + ", and \(items.count - limit) more"
  }

  /// How many rows of a list are shown.
  func shown(_ count: Int) -> Int { min(count, limit ?? count) }

  /// Says how many rows of a list were not shown, if any.
  func cut(_ count: Int, _ what: String, indent: Int) throws(OutputError) {
    guard count > shown(count) else { return }
    try paragraph(
      "... \(count - shown(count)) more of \(count) \(what); --limit 0 shows all", indent: indent,
      style: .cyan)
  }

  struct Column {
    var title: String
    var isRight: Bool

    static func left(_ title: String) -> Self { Self(title: title, isRight: false) }
    static func right(_ title: String) -> Self { Self(title: title, isRight: true) }
  }

  /// A table of `count` rows, of which the limit may cut some.
  ///
  /// `what` is the rows' name in the plural, for the line about those that were cut. `row` gives the
  /// cells of a row; it is asked twice, so that no row has to be kept.
  func table(
    _ columns: [Column], count: Int, what: String, indent: Int = 2, row: (Int) -> [String]
  ) throws(OutputError) {
    guard count > 0 else { return }
    var widths = columns.map(\.title.utf8.count)
    for index in 0..<shown(count) {
      for (column, cell) in zip(widths.indices, row(index)) {
        widths[column] = max(widths[column], Escaping.terminal(cell).utf8.count)
      }
    }
    // Too wide: the widest column gives way, until the row fits.
    let room = Self.width - indent - 2 * (widths.count - 1)
    var excess = widths.reduce(0, +) - room
    while excess > 0, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }) {
      let second = widths.enumerated().filter { $0.offset != widest }.map(\.element).max() ?? 0
      let step = max(1, min(excess, widths[widest] - second))
      guard widths[widest] > step else { break }
      widths[widest] -= step
      excess -= step
    }
    try line(columns.map(\.title), columns, widths, indent: indent, style: .bold)
    for index in 0..<shown(count) { try line(row(index), columns, widths, indent: indent) }
    try cut(count, what, indent: indent)
  }

  private func line(
    _ cells: [String], _ columns: [Column], _ widths: [Int], indent: Int, style: Style = .plain
  ) throws(OutputError) {
    var text = ""
    // A reason in the last column goes on in the next line: half a sentence is none.
    var rest: ArraySlice<String> = []
    for (index, cell) in cells.enumerated() where index < widths.count {
      var cell = Escaping.terminal(cell)
      if index == widths.count - 1, !columns[index].isRight {
        let lines = PlainText.wrapped(cell, width: widths[index])
        cell = lines.first ?? ""
        rest = lines.dropFirst()
      } else {
        cell = PlainText.clipped(cell, width: widths[index])
      }
      let padding = Self.blanks(widths[index] - cell.utf8.count)
      if index > 0 { text += "  " }
      text += columns[index].isRight ? padding + cell : cell + padding
    }
    while text.last == " " { text.removeLast() }
    try output.write(Self.blanks(indent) + styled(text, style) + "\n")
    let start = indent + widths.dropLast().reduce(0) { $0 + $1 + 2 }
    for line in rest { try output.write(Self.blanks(start) + styled(line, style) + "\n") }
  }

  private func styled(_ text: String, _ style: Style) -> String {
    guard color, style != .plain, !text.isEmpty else { return text }
    return "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m"
  }

  private static func blanks(_ count: Int) -> String {
    String(repeating: " ", count: max(0, count))
  }
}
