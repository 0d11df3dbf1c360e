// SPDX-License-Identifier: Apache-2.0

internal import Memory
public import RemappingState
internal import StateDiff

/// Two states compared, as a page.
public struct DiffPage {
  private let rules: [RuleText]
  private let names: [String: String]
  /// Rows of lists that are written in all.
  var rowBudget = 20_000

  /// - Parameters:
  ///   - rules: what the rules state; findings link to it.
  ///   - names: of PCI devices by vendor and device, `8086:10d3`.
  public init(rules: [RuleText] = [], names: [String: String] = [:]) {
    self.rules = rules
    self.names = names
  }

  public func write(_ document: DiffDocument, to sink: any ByteSink) throws(OutputError) {
    let page = HTMLPage(sink, rowBudget: rowBudget)
    let diff = document.diff
    let taken = DiffParts.Taken(diff, from: page)
    let parts = DiffParts(page: page, document: document, mappings: taken.mappings)
    var used = Set((diff.findings.added + diff.findings.removed).map(\.rule))
    for change in diff.findings.changed.lazy.compactMap(\.field) {
      if case .text(let rule) = change.key["rule"] { used.insert(rule) }
    }
    let texts = rules.filter { used.contains($0.id) }
    page.targets = PageTargets(
      PageContext(names: names), devices: diff.devices.added + diff.devices.removed,
      rules: Set(texts.map(\.id)))
    page.targets.add(diff, taken)
    func count<Row>(_ difference: RowDifference<Row>) -> String {
      Quantity.grouped(
        UInt64(difference.added.count + difference.removed.count + difference.changed.count))
    }
    let sections: [HTMLPage.Section] = [
      .init(id: "summary", title: "What it means", body: parts.summary),
      .init(id: "map", title: "Address spaces", body: parts.map),
      .init(id: "findings", title: "Findings", count: count(diff.findings)) {
        parts.difference(
          diff.findings, "findings", ["severity", "rule", "unit", "device", "message"])
      },
      .init(id: "units", title: "Units", count: count(diff.units)) {
        parts.difference(
          diff.units, "units", ["name", "tableMode", "translationEnabled", "registerBase"],
          taken: taken.units)
      },
      .init(id: "contexts", title: "Contexts", count: count(diff.contexts)) {
        parts.difference(
          diff.contexts, "contexts", ["unit", "device", "pasid", "translation", "domainID"])
      },
      .init(id: "domains", title: "Domains", count: count(diff.domains)) {
        parts.difference(diff.domains, "domains", ["unit", "domainID", "type", "devices"])
      },
      .init(id: "devices", title: "Devices", count: count(diff.devices)) {
        parts.difference(
          diff.devices, "devices", ["device", "driver", "unit", "domainID"], taken: taken.devices)
      },
      .init(id: "regions", title: "Reserved regions", count: count(diff.reservedRegions)) {
        parts.difference(diff.reservedRegions, "regions", ["kind", "base", "end", "mapped"])
      },
      .init(
        id: "rules", title: "Rules", count: texts.isEmpty ? nil : "\(texts.count)",
        body: { RulePart(page: page, texts: texts).body(of: [], prefix: nil) }),
    ]
    try page.write(
      title: "\(document.old.file) \u{2192} \(document.new.file)",
      subtitle: [document.old.release, document.new.release].map { $0 ?? "unknown release" }
        .joined(separator: " \u{2192} "),
      tool: document.tool, schema: DiffDocument.outline.schema, sections: sections)
  }
}

extension DiffParts {
  /// Rows that links lead to, taken from the page's budget before the first link is written.
  struct Taken {
    var units: Rows
    var devices: Rows
    /// Ranges that are mapped differently.
    var mappings: Int

    init(_ diff: StateDiff, from page: HTMLPage) {
      units = Rows(diff.units, from: page)
      devices = Rows(diff.devices, from: page)
      mappings = page.take(diff.domains.changed.count { $0.mapping != nil })
    }

    /// Those of one list.
    struct Rows {
      var added: Int
      var removed: Int
      var changed: Int

      init<Row>(_ difference: RowDifference<Row>, from page: HTMLPage) {
        added = page.take(difference.added.count)
        removed = page.take(difference.removed.count)
        changed = page.take(difference.changed.count { $0.field != nil })
      }
    }
  }
}

extension PageTargets {
  /// Takes the rows of units and devices that a page of differences has.
  fileprivate mutating func add(_ diff: StateDiff, _ taken: DiffParts.Taken) {
    for (index, unit) in diff.units.added.prefix(taken.units.added).enumerated() {
      add(unit: unit.name, target: "units-added-\(index)")
    }
    for (index, unit) in diff.units.removed.prefix(taken.units.removed).enumerated() {
      add(unit: unit.name, target: "units-removed-\(index)")
    }
    for (index, device) in diff.devices.added.prefix(taken.devices.added).enumerated() {
      add(device: "\(device.device)", target: "devices-added-\(index)")
    }
    for (index, device) in diff.devices.removed.prefix(taken.devices.removed).enumerated() {
      add(device: "\(device.device)", target: "devices-removed-\(index)")
    }
    let changes = diff.devices.changed.lazy.compactMap(\.field)
    for (index, change) in changes.prefix(taken.devices.changed).enumerated() {
      add(device: "\(change.key["device"])", target: "devices-changed-\(index)")
    }
  }
}

struct DiffParts {
  let page: HTMLPage
  let document: DiffDocument
  /// Rows of ranges that are mapped differently, for which there is room.
  let mappings: Int
  private var writer: HTMLWriter { page.writer }
  private var diff: StateDiff { document.diff }

  func summary() {
    if diff.isEmpty { page.paragraph("The two states are equal.") }
    let changes = diff.meaning.filter(\.isChange)
    writer.open("ul", [("class", "plain")])
    for statement in changes { writer.element("li", statement.text) }
    writer.close("ul")
    let same = diff.meaning.filter { !$0.isChange }
    if !same.isEmpty {
      writer.open("details")
      writer.element("summary", "What stayed")
      writer.open("ul", [("class", "plain")])
      for statement in same { writer.element("li", statement.text) }
      writer.close("ul")
      writer.close("details")
    }
    writer.element("h3", "Before")
    page.list(ShownField.fields(of: document.old))
    writer.element("h3", "After")
    page.list(ShownField.fields(of: document.new))
  }

  func difference<Row: DocumentRow>(
    _ difference: RowDifference<Row>, _ name: String, _ columns: [String],
    taken: Taken.Rows? = nil
  ) {
    if difference.isEmpty { page.paragraph("no difference", dim: true) }
    if !difference.added.isEmpty {
      writer.element("h3", "Only after")
      page.rows(
        difference.added, "added", prefix: "\(name)-added", columns: columns, taken: taken?.added)
    }
    if !difference.removed.isEmpty {
      writer.element("h3", "Only before")
      page.rows(
        difference.removed, "removed", prefix: "\(name)-removed", columns: columns,
        taken: taken?.removed)
    }
    let fields = difference.changed.compactMap(\.field)
    if !fields.isEmpty {
      writer.element("h3", "Changed")
      page.rows(
        fields, "changed", prefix: "\(name)-changed", columns: ["key", "field", "old", "new"],
        taken: taken?.changed)
    }
    let mappings = difference.changed.compactMap(\.mapping)
    if !mappings.isEmpty {
      writer.element("h3", "Mapped differently")
      page.table(
        "ranges mapped differently",
        [
          .init(title: "domain"), .init(title: "IOVA", isNumeric: true),
          .init(title: "to", isNumeric: true), .init(title: "size", isNumeric: true),
          .init(title: "before"), .init(title: "after"),
        ], count: mappings.count, prefix: "mapping", taken: self.mappings
      ) { index in
        let change = mappings[index]
        page.cell(change.key.shown, of: "key")
        page.cell(.word(change.start.rawValue), of: "start")
        page.cell(.word(change.end.rawValue), of: "end")
        page.cell(bytes: Extent(change.start.rawValue, change.end.rawValue).bytes)
        page.cell(Self.words(change.old))
        page.cell(Self.words(change.new))
      }
    }
  }

  private static func words(_ target: MappingChange.Target?) -> String {
    guard let target else { return "not mapped" }
    return [target.physical?.description, target.access.rawValue].compactMap(\.self)
      .joined(separator: " ")
  }

  /// One band a domain: what came, went, moved or changed its access.
  func map() {
    var byDomain: [(key: RowKey, changes: [MappingChange])] = []
    for change in diff.domains.changed.lazy.compactMap(\.mapping) {
      if byDomain.last?.key == change.key {
        byDomain[byDomain.count - 1].changes.append(change)
      } else {
        byDomain.append((change.key, [change]))
      }
    }
    guard !byDomain.isEmpty else {
      page.paragraph("No address is mapped differently.", dim: true)
      return
    }
    Picture.legend(
      [
        ("added", "mapped after alone"), ("removed", "mapped before alone"),
        ("moved", "another page"), ("access", "another access"),
      ], to: writer)
    var first = 0
    for (key, changes) in byDomain.prefix(64) {
      draw(key, changes, first)
      first += changes.count
    }
    if byDomain.count > 64 { page.cut(byDomain.count - 64) }
  }

  private func draw(_ key: RowKey, _ changes: [MappingChange], _ first: Int) {
    let extents = changes.map { Extent($0.start.rawValue, $0.end.rawValue) }
    let scale = AddressScale(extents, from: 10, width: 980)
    writer.element("h3", "\(key)")
    let counts = ["added", "removed", "moved", "access"].map { look in
      (look, changes.count { Self.look(of: $0) == look })
    }
    Picture.draw(
      "Differences of \(key)",
      counts.map { "\($0.1) \($0.0)" }.joined(separator: ", ") + ".", height: 64, to: writer
    ) { picture in
      for (kind, _) in counts {
        let bars = scale.bars(
          zip(changes, extents).lazy.filter { Self.look(of: $0.0) == kind }.map(\.1))
        for bar in bars { picture.rectangle(bar.x, 6, bar.width, 22, kind) }
      }
      for piece in scale.pieces {
        let place = extents.firstIndex { $0.start >= piece.extent.start } ?? 0
        let words = "from \(HexWord(piece.extent.start)) on"
        let row = first + place
        picture.link(row < mappings ? "mapping-\(row)" : nil, words) {
          picture.rectangle(piece.x - 2, 3, piece.width + 4, 28, "hit", title: words)
        }
      }
      scale.label(picture, y: 36)
    }
  }

  private static func look(of change: MappingChange) -> String {
    switch (change.old, change.new) {
    case (nil, _): "added"
    case (_, nil): "removed"
    case (let old?, let new?): old.access == new.access ? "moved" : "access"
    }
  }
}
