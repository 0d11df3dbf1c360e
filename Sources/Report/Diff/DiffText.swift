// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateDiff

/// A difference for a reader at a terminal, in the order in which one asks: what is broken now, what
/// the hardware does differently, who took more and more memory, and only then every range.
public struct DiffText {
  /// Rows per list; `nil` for all.
  public var limit: Int?
  public var color: Bool
  /// Lists also each range that only moved to another page, as most do from one boot to the next.
  public var physical: Bool

  public init(limit: Int? = 20, color: Bool = false, physical: Bool = false) {
    self.limit = limit
    self.color = color
    self.physical = physical
  }

  public func write(_ document: DiffDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: limit, color: color)
    let diff = document.diff
    try page.heading("DIFFERENCES")
    try page.field("old", Self.name(document.old))
    try page.field("new", Self.name(document.new))
    try page.field("result", Self.verdict(diff))
    if !diff.isEmpty || diff.meaning.contains(where: \.isChange) {
      try meaning(diff.meaning, to: page)
    }
    try findings(diff.findings, to: page)
    try section("REMAPPING UNITS", diff.units, to: page) {
      "\($0.name), segment \($0.segment), registers at \($0.registerBase)"
    }
    try capabilities(diff.units, to: page)
    try section("CONTEXTS: what the hardware would see", diff.contexts, to: page, Self.describe)
    try section("DEVICES: what the kernel believed", diff.devices, to: page, Self.describe)
    try section("RESERVED REGIONS", diff.reservedRegions, to: page) {
      "\($0.kind.rawValue) \($0.base) to \($0.end), \($0.mapped?.rawValue ?? "coverage unknown"),"
        + " of " + Self.short($0.devices)
    }
    try growth(diff.domains, to: page)
    try domains(diff.domains, to: page)
    try page.finish(document.cuts)
  }

  // MARK: What it means

  private func meaning(_ statements: [Statement], to page: TextPage) throws(OutputError) {
    guard !statements.isEmpty else { return }
    try page.blank()
    try page.heading("WHAT THAT MEANS")
    for statement in statements where statement.isChange {
      try page.paragraph(statement.text, indent: 2, hanging: 2, style: .bold)
    }
    let same = statements.filter { !$0.isChange }.map(\.text)
    if !same.isEmpty {
      try page.paragraph("As before: " + same.joined(separator: "; "), indent: 2, hanging: 2)
    }
  }

  /// What units can do on one side alone, in words.
  private func capabilities(
    _ units: RowDifference<Unit>, to page: TextPage
  ) throws(OutputError) {
    for group in units.fieldGroups {
      func value(_ name: String, _ side: (FieldChange) -> FieldValue) -> UInt64 {
        let change = group.changes.first { $0.field == name }
        if let change, case .address(let word) = side(change) { return word }
        return 0
      }
      // A register that did not change has the same words on both sides, whatever they are.
      let differences = CapabilityWords.difference(
        from: CapabilityWords(
          value("capability", \.old), value("extendedCapability", \.old)),
        to: CapabilityWords(
          value("capability", \.new), value("extendedCapability", \.new)))
      for difference in differences {
        var parts: [String] = []
        if !difference.gone.isEmpty {
          parts.append("no longer " + difference.gone.joined(separator: ", "))
        }
        if !difference.came.isEmpty {
          parts.append("now " + difference.came.joined(separator: ", "))
        }
        try page.field(
          "can do", "\(group.key): \(difference.label): \(parts.joined(separator: "; "))",
          labelWidth: 10)
      }
    }
  }

  // MARK: Head

  private static func name(_ dump: DumpSummary) -> String {
    [dump.file, dump.release, dump.crashTime.map(Quantity.time)].compactMap(\.self)
      .joined(separator: ", ")
  }

  /// One sentence, the worst first.
  static func verdict(_ diff: StateDiff) -> String {
    if diff.isEmpty { return "equal" }
    var parts: [String] = []
    func say(_ count: Int, _ one: String, _ many: String) {
      if count > 0 { parts.append("\(count) \(count == 1 ? one : many)") }
    }
    for severity in Finding.Severity.allCases {
      say(
        diff.findings.added.count { $0.severity == severity }, "new \(severity.rawValue)",
        "new \(severity.plural)")
    }
    say(diff.findings.removed.count, "finding gone", "findings gone")
    say(diff.units.rows, "unit differs", "units differ")
    say(diff.contexts.removed.count, "context gone", "contexts gone")
    say(diff.contexts.added.count, "new context", "new contexts")
    say(diff.contexts.changedRows, "context differs", "contexts differ")
    say(diff.devices.rows, "device differs", "devices differ")
    say(diff.reservedRegions.rows, "reserved region differs", "reserved regions differ")
    say(diff.domains.rows, "domain differs", "domains differ")
    return parts.isEmpty ? "only the wording of findings differs" : parts.joined(separator: ", ")
  }

  // MARK: Findings

  private func findings(
    _ findings: RowDifference<Finding>, to page: TextPage
  ) throws(OutputError) {
    guard !findings.isEmpty else { return }
    try page.blank()
    try page.heading("FINDINGS")
    for (mark, list) in [("new", findings.added), ("gone", findings.removed)] {
      let sorted = Finding.Severity.allCases.flatMap { severity in
        list.filter { $0.severity == severity }
      }
      for finding in sorted.prefix(page.shown(sorted.count)) {
        let subject = [finding.unit, finding.device?.description].compactMap(\.self)
        try page.field(
          "\(mark) \(finding.severity.rawValue)",
          ([finding.rule] + subject).joined(separator: " ") + ": " + finding.message,
          labelStyle: mark == "new" ? finding.severity.style : .plain)
      }
      try page.cut(sorted.count, "findings", indent: 2)
    }
    let changed = findings.changed.compactMap(\.field)
    for change in changed.prefix(page.shown(changed.count)) {
      try page.field("changed", "\(change.key): \(change.old) -> \(change.new)")
    }
    try page.cut(changed.count, "findings", indent: 2)
  }

  // MARK: Rows

  private func section<Row>(
    _ title: String, _ difference: RowDifference<Row>, to page: TextPage,
    _ describe: (Row) -> String
  ) throws(OutputError) {
    guard !difference.isEmpty else { return }
    try page.blank()
    try page.heading(title)
    try rows(difference, to: page, describe)
  }

  private func rows<Row>(
    _ difference: RowDifference<Row>, to page: TextPage, _ describe: (Row) -> String
  ) throws(OutputError) {
    for (mark, rows) in [("gone", difference.removed), ("new", difference.added)] {
      for row in rows.prefix(page.shown(rows.count)) {
        try page.field(mark, describe(row), labelWidth: 10)
      }
      try page.cut(rows.count, "rows", indent: 2)
    }
    let groups = difference.fieldGroups
    for group in groups.prefix(page.shown(groups.count)) {
      let text = group.changes.map { "\($0.field) \($0.old) -> \($0.new)" }
      try page.field(
        "changed", "\(group.key): " + text.joined(separator: "; "), labelWidth: 10)
    }
    try page.cut(groups.count, "rows", indent: 2)
  }

  private static func describe(_ context: Context) -> String {
    var text = "\(context.unit) \(context.device)"
    if let pasid = context.pasid { text += " PASID \(pasid)" }
    text += ": \(context.translation.rawValue)"
    if let id = context.domainID { text += ", domain-id \(id)" }
    return text
  }

  private static func describe(_ device: Device) -> String {
    var text = "\(device.device)"
    if let driver = device.driver { text += " (\(driver))" }
    if let unit = device.unit { text += " on \(unit)" }
    if let id = device.domainID { text += ", domain-id \(id)" }
    return text
  }

  private static func short(_ devices: [DeviceName]) -> String {
    guard devices.count > 4 else {
      return devices.isEmpty
        ? "no device" : devices.map(\.description).joined(separator: ", ")
    }
    return devices.prefix(4).map(\.description).joined(separator: ", ")
      + " and \(devices.count - 4) more"
  }

  // MARK: Allocators

  /// Whose allocator holds more than before: a leak grows in one place.
  private func growth(
    _ domains: RowDifference<Domain>, to page: TextPage
  ) throws(OutputError) {
    struct Row {
      var key: RowKey
      var old: IOVAFigure
      var new: IOVAFigure
      var isGrowth: Bool {
        new.bytes != old.bytes ? new.bytes > old.bytes : new.ranges > old.ranges
      }
      var size: UInt64 { isGrowth ? new.bytes &- old.bytes : old.bytes &- new.bytes }
    }
    let rows = domains.changed.compactMap { change -> Row? in
      guard case .field(let field) = change, field.field == "iova.live",
        case .figure(let old) = field.old, case .figure(let new) = field.new
      else { return nil }
      return Row(key: field.key, old: old, new: new)
    }.sorted {
      $0.isGrowth != $1.isGrowth
        ? $0.isGrowth : $0.isGrowth ? $0.size > $1.size : $0.size < $1.size
    }
    guard !rows.isEmpty else { return }
    try page.blank()
    try page.heading("ALLOCATORS: live mappings, the largest growth first")
    try page.table(
      [
        .left("Unit"), .left("Device"), .right("Old ranges"), .right("New ranges"),
        .right("Old bytes"), .right("New bytes"), .right("Growth"),
      ], count: rows.count, what: "allocators"
    ) { index in
      let row = rows[index]
      return [
        "\(row.key["unit"])", "\(row.key["device"])", "\(row.old.ranges)", "\(row.new.ranges)",
        "\(row.old.bytes)", "\(row.new.bytes)",
        (row.isGrowth ? "+" : row.size == 0 ? "" : "-") + (Quantity.iec(row.size) ?? "\(row.size)"),
      ]
    }
  }

  // MARK: Domains

  private func domains(
    _ domains: RowDifference<Domain>, to page: TextPage
  ) throws(OutputError) {
    guard !domains.isEmpty else { return }
    try page.blank()
    try page.heading("DOMAINS AND THEIR MAPPINGS")
    try rows(domains, to: page) {
      "\($0.label), \($0.type.rawValue), of \(Self.short($0.devices))"
    }
    let groups = domains.mappingGroups
    for group in groups.prefix(page.shown(groups.count)) {
      try page.blank()
      try page.paragraph("\(group.key): \(Self.sum(group.changes))", indent: 2, hanging: 2)
      let shown = physical ? group.changes : group.changes.filter { $0.kind != .moved }
      try page.table(
        [
          .left("Change"), .right("Start"), .right("End"), .right("Bytes"), .left("Old"),
          .left("New"),
        ], count: shown.count, what: "ranges", indent: 4
      ) { index in
        let change = shown[index]
        return [
          change.kind.rawValue, "\(change.start)", "\(change.end)", "\(change.bytes)",
          Self.target(change.old), Self.target(change.new),
        ]
      }
    }
    try page.cut(groups.count, "domains", indent: 2)
    let hasMoved = groups.contains { $0.changes.contains { $0.kind == .moved } }
    if hasMoved, !physical {
      try page.blank()
      try page.paragraph(
        "Ranges that moved are mapped as before, to other pages, as from one boot to the next;"
          + " --physical lists them.", indent: 2, style: .cyan)
    }
  }

  /// `3 ranges added (12.0 KiB), 1 range moved (4.0 KiB)`.
  private static func sum(_ changes: [MappingChange]) -> String {
    MappingChange.Kind.allCases.compactMap { kind in
      let own = changes.filter { $0.kind == kind }
      guard !own.isEmpty else { return nil }
      let bytes = own.reduce(UInt64(0)) { sum, change in
        let (next, overflow) = sum.addingReportingOverflow(change.bytes)
        return overflow ? .max : next
      }
      let what = kind == .access ? "with other access" : kind.rawValue
      return "\(Quantity.count(own.count, "range")) \(what) (\(Quantity.iec(bytes) ?? "0"))"
    }.joined(separator: ", ")
  }

  private static func target(_ target: MappingChange.Target?) -> String {
    guard let target else { return TextPage.unknown }
    return [target.physical?.description, target.access.rawValue].compactMap(\.self)
      .joined(separator: " ")
  }
}

extension Change {
  /// A field with two values; `nil` for a range that is mapped differently.
  var field: FieldChange? {
    if case .field(let change) = self { change } else { nil }
  }

  /// A range that is mapped differently; `nil` for a field.
  var mapping: MappingChange? {
    if case .mapping(let change) = self { change } else { nil }
  }
}

extension RowDifference {
  fileprivate var changedRows: Int { Set(changed.map(\.key)).count }
  fileprivate var rows: Int { added.count + removed.count + changedRows }

  /// Changed fields, one group per row.
  fileprivate var fieldGroups: [(key: RowKey, changes: [FieldChange])] {
    Self.groups(changed.lazy.compactMap(\.field), \.key)
  }

  /// Changed ranges, one group per row.
  fileprivate var mappingGroups: [(key: RowKey, changes: [MappingChange])] {
    Self.groups(changed.lazy.compactMap(\.mapping), \.key)
  }

  /// The changes come sorted by key.
  private static func groups<Value>(
    _ changes: some Sequence<Value>, _ key: (Value) -> RowKey
  ) -> [(key: RowKey, changes: [Value])] {
    var groups: [(key: RowKey, changes: [Value])] = []
    for change in changes {
      if groups.last?.key == key(change) {
        groups[groups.count - 1].changes.append(change)
      } else {
        groups.append((key(change), [change]))
      }
    }
    return groups
  }
}

extension Finding.Severity {
  fileprivate var plural: String {
    switch self {
    case .error: "errors"
    case .warning: "warnings"
    case .info: "remarks"
    }
  }
}
