// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import Translation

/// A page: its frame, its sections, and what they are made of.
///
/// One file with everything in it: no network, readable without JavaScript, whose absence only costs
/// sorting and filtering.
final class HTMLPage {
  let writer: HTMLWriter
  /// The rows that names lead to.
  var targets = PageTargets()
  /// Rows of generic lists that are still written; what goes beyond is counted.
  private var rowBudget: Int

  /// A section and how much it holds.
  struct Section {
    var id: StaticString
    var title: StaticString
    /// What stands beside the title; `nil` for nothing.
    var count: String?
    var body: () -> Void
  }

  /// - Parameter tables: whose rows are taken from the budget before all others.
  init(_ sink: any ByteSink, rowBudget: Int = 20_000, tables: TableExcerpt? = nil) {
    writer = HTMLWriter(sink)
    self.rowBudget = rowBudget
    _ = take(tables?.pages.reduce(0) { $0 + $1.entries.count } ?? 0)
  }

  /// Writes the page.
  ///
  /// - Parameters:
  ///   - title: what it is about, for the window and the heading.
  ///   - subtitle: a line below.
  func write(
    title: String, subtitle: String, tool: Tool, schema: String, sections: [Section]
  ) throws(OutputError) {
    writer.markup("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
    writer.markup("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n")
    writer.markup("<meta name=\"color-scheme\" content=\"light dark\">\n")
    // Nothing is fetched from anywhere, and no markup of a stranger could run.
    writer.markup(
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';")
    writer.markup(" style-src 'unsafe-inline'; script-src '")
    writer.markup(PageScript.hash)
    writer.markup("'; base-uri 'none'; form-action 'none'\">\n")
    writer.markup("<meta name=\"generator\" content=\"iommuscope\">\n")
    writer.element("title", title)
    writer.markup("\n<style>")
    writer.markup(PageStyle.text)
    writer.markup("</style>\n</head>\n<body>\n")
    writer.markup("<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n")
    writer.element("h1", title)
    writer.element("p", [("class", "sub")], subtitle)
    writer.markup("</header>\n<nav aria-label=\"Contents\"><ul>")
    for section in sections {
      writer.open("li")
      writer.open("a", [("href", "#\(section.id)")])
      writer.markup(section.title)
      writer.close("a")
      if let count = section.count {
        writer.markup(" ")
        writer.element("span", [("class", "n")], count)
      }
      writer.close("li")
    }
    writer.markup("</ul></nav>\n")
    Picture.writeDefinitions(to: writer)
    writer.markup("<main id=\"main\">\n")
    for section in sections {
      writer.open("section", [("id", "\(section.id)"), ("aria-labelledby", "\(section.id)-title")])
      writer.open("h2", [("id", "\(section.id)-title")])
      writer.markup(section.title)
      if let count = section.count { writer.element("span", [("class", "n")], count) }
      writer.close("h2")
      section.body()
      writer.markup("</section>\n")
      if writer.hasFailed { break }
    }
    writer.markup("</main>\n<footer><p>")
    writer.text("Written by \(tool.name) \(tool.version) from a document of schema \(schema).")
    writer.markup("</p></footer>\n<script>")
    writer.markup(PageScript.text)
    writer.markup("</script>\n</body>\n</html>\n")
    try writer.finish()
  }

  // MARK: Pieces

  func paragraph(_ text: String, dim: Bool = false) {
    writer.element("p", dim ? [("class", "dim")] : [], text)
  }

  /// A number that matters, and where its rows are.
  func card(_ value: String, _ label: String, kind: String = "", to target: String? = nil) {
    let name = kind.isEmpty ? "card" : "card \(kind)"
    if let target {
      writer.open("a", [("class", name), ("href", "#" + target)])
    } else {
      writer.open("div", [("class", name)])
    }
    writer.element("b", value)
    writer.text(label)
    if target == nil { writer.close("div") } else { writer.close("a") }
  }

  func cards(_ body: () -> Void) { writer.element("div", [("class", "cards")], body) }

  /// A label and a value.
  func term(_ label: String, _ value: String) {
    writer.element("dt", label)
    writer.element("dd", value)
  }

  func tag(_ text: String, kind: String) {
    writer.element("span", [("class", "tag \(kind)")], text)
  }

  /// Takes rows from the budget.
  ///
  /// - Returns: how many of `count` may be written.
  func take(_ count: Int) -> Int {
    let taken = min(count, max(0, rowBudget))
    rowBudget -= taken
    return taken
  }

  // MARK: Fields

  /// A value as text, with links from names to their rows.
  func value(_ value: Shown, of field: String) {
    switch value {
    case .nothing: writer.element("span", [("class", "dim"), ("title", "unknown or none")], "-")
    case .text(let text):
      let name = targets.name(text, of: field)
      writer.link(text, to: targets.target(text, of: field), title: name)
      if field == "pciID", let name {
        writer.text(" ")
        writer.element("span", [("class", "dim")], name)
      }
    case .word(let word):
      // Where a policy's rows have the address of an old table.
      let isTable = field == "old" && word & 0xfff == 0
      writer.element("code") {
        writer.link(value.line, to: isTable ? targets.tables.target(word) : nil)
      }
    case .address(let address):
      writer.element("code") { writer.link(value.line, to: targets.tables.target(address)) }
    case .number(let text, _):
      if field == "crashTime", let seconds = Int(text) {
        writer.text(Quantity.time(seconds))
        return
      }
      writer.text(text)
      if field.lowercased().hasSuffix("bytes") || field == "length",
        let number = UInt64(text), let short = Quantity.iec(number)
      {
        writer.element("span", [("class", "dim")], " (\(short))")
      }
    case .flag: writer.text(value.line)
    case .list(let values):
      if values.isEmpty { writer.element("span", [("class", "dim")], "none") }
      for (index, inner) in values.enumerated() {
        if index > 0 { writer.text(", ") }
        self.value(inner, of: field)
      }
    case .key(let members):
      for (index, member) in members.enumerated() {
        if index > 0 { writer.text(" ") }
        self.value(member.value, of: member.name)
      }
    case .row(let fields): list(fields)
    }
  }

  /// All fields of a row, nested ones folded.
  func list(_ fields: [ShownField]) {
    writer.open("dl")
    for field in fields {
      writer.element("dt", [("title", "\(field.meaning)")], Self.label(field.name))
      writer.open("dd")
      nested(field)
      writer.close("dd")
    }
    writer.close("dl")
  }

  private func nested(_ field: ShownField) {
    guard field.value.isNested else {
      value(field.value, of: "\(field.name)")
      return
    }
    switch field.value {
    case .list(let values):
      writer.open("details")
      writer.element("summary", Quantity.count(values.count, "item"))
      let shown = take(values.count)
      for inner in values.prefix(shown) {
        if case .row(let fields) = inner {
          list(fields)
        } else {
          writer.open("p")
          value(inner, of: "\(field.name)")
          writer.close("p")
        }
      }
      if shown < values.count { cut(values.count - shown) }
      writer.close("details")
    case .row(let fields): list(fields)
    case .nothing, .text, .flag, .number, .word, .address, .key:
      value(field.value, of: "\(field.name)")
    }
  }

  /// Says that rows were left out.
  func cut(_ count: Int) {
    paragraph(
      "\(Quantity.grouped(UInt64(max(0, count)))) more are not written here, so that the page stays"
        + " usable; --format ndjson has them all.", dim: true)
  }

  /// `domain id` for `domainID`.
  static func label(_ name: StaticString) -> String {
    var words = ""
    var previous: Character = "A"
    for character in "\(name)" {
      if character.isUppercase, !previous.isUppercase, !words.isEmpty { words += " " }
      words.append(character)
      previous = character
    }
    let known = ["iova": "IOVA", "pasid": "PASID", "pci ID": "PCI id", "domain ID": "domain id"]
    if let label = known[words] { return label }
    return words.split(separator: " ").map { word in
      word.allSatisfy { $0.isUppercase || $0.isNumber } ? String(word) : word.lowercased()
    }.joined(separator: " ")
  }
}

/// Where on the page things are that names lead to.
struct PageTargets {
  private var units: [String: String] = [:]
  private var devices: [String: String] = [:]
  private var rules: Set<String> = []
  /// By address.
  var tables = TableTargets(nil)
  /// By device, and by vendor and device.
  private var names: [String: String] = [:]

  init() {}

  /// Those of a page without rows of devices.
  ///
  /// - Parameter devices: with what they are called where the context knows it.
  init(_ context: PageContext, devices: [Device], rules: Set<String> = []) {
    self.rules = rules
    tables = TableTargets(context.tables)
    names = context.names
    for device in devices {
      guard let id = device.pciID, let name = context.names[id] else { continue }
      names[device.device.description] = name
    }
  }

  init(
    _ state: RemappingState, rules: Set<String>, _ context: PageContext, taken: ReportPage.Taken
  ) {
    self.init(context, devices: state.devices, rules: rules)
    for (index, unit) in state.units.prefix(taken.units).enumerated() {
      units[unit.name] = "units-\(index)"
    }
    for (index, device) in state.devices.prefix(taken.devices).enumerated() {
      devices[device.device.description] = "devices-\(index)"
    }
    // A source id that Linux knows no device for has a context.
    for (index, context) in state.contexts.prefix(taken.contexts).enumerated()
    where devices[context.device.description] == nil {
      devices[context.device.description] = "contexts-\(index)"
    }
  }

  /// The id of what a text of a field names; `nil` where there is nothing.
  func target(_ text: String, of field: String) -> String? {
    switch field {
    case "unit", "name": units[text]
    case "device", "devices", "aliases", "scope", "sourceID", "others", "aliasOf": devices[text]
    case "rule": rule(text)
    default: nil
    }
  }

  /// Takes the row of a device.
  mutating func add(device: String, target: String) {
    if devices[device] == nil { devices[device] = target }
  }

  /// Takes the row of a unit.
  mutating func add(unit: String, target: String) {
    if units[unit] == nil { units[unit] = target }
  }

  /// What a device is called; `nil` where no list tells.
  func name(_ text: String, of field: String) -> String? {
    switch field {
    case "pciID", "device", "devices": names[text]
    default: nil
    }
  }

  func device(_ name: String) -> String? { devices[name] }
  func unit(_ name: String?) -> String? { name.flatMap { units[$0] } }
  func rule(_ id: String) -> String? { rules.contains(id) ? "rule-\(id)" : nil }
}
