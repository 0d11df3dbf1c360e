// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import Translation

/// Raw entries for a reader at a terminal.
public struct TablesText {
  /// Rows per list; `nil` for all.
  public var limit: Int?
  public var color: Bool

  public init(limit: Int? = 20, color: Bool = false) {
    self.limit = limit
    self.color = color
  }

  public func write(_ document: TablesDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: limit, color: color)
    var isFirst = true
    for unit in document.units {
      if !isFirst { try page.blank() }
      isFirst = false
      try write(unit, to: page)
    }
    for device in document.devices {
      if !isFirst { try page.blank() }
      isFirst = false
      try write(device, to: page)
    }
    for table in document.pages {
      if !isFirst { try page.blank() }
      isFirst = false
      try TableContentsText(table, dump: document.dump.file).write(to: page)
    }
    if isFirst { try page.paragraph("no root table is known") }
    try page.finish(document.cuts)
  }

  private func write(_ unit: UnitEntries, to page: TextPage) throws(OutputError) {
    try page.heading("\(unit.unit), \(unit.mode.rawValue) mode, root table \(unit.rootTable)")
    for row in unit.entries {
      var subject = row.device?.description ?? row.bus.map { "bus \(Self.hex($0))" } ?? ""
      if let pasid = row.pasid { subject += "\(subject.isEmpty ? "" : " ")PASID \(pasid)" }
      try page.blank()
      try page.paragraph(
        "\(row.entry.structure) of \(subject), at \(row.entry.address)", indent: 2, style: .bold)
      try EntryText(row.entry).writeFields(to: page)
    }
    if let interrupts = unit.interrupts {
      try page.blank()
      try page.paragraph(
        "interrupt remapping: \(Quantity.count(interrupts.count, "present entry", "present entries"))",
        indent: 2, style: .bold)
      try page.table(
        [.right("index"), .right("address"), .left("entry"), .left("fields")],
        count: interrupts.count, what: "entries"
      ) { index in
        let row = interrupts[index]
        return [
          "\(row.index)", row.entry.address.description,
          row.entry.raw.reversed().map(\.description).joined(separator: " "),
          EntryText(row.entry).summary,
        ]
      }
    }
    for obstacle in unit.obstacles.prefix(page.shown(unit.obstacles.count)) {
      try page.paragraph("! \(obstacle)", indent: 2, hanging: 2, style: .yellow)
    }
  }

  private func write(_ device: DeviceEntries, to page: TextPage) throws(OutputError) {
    let pasid = device.pasid.map { " PASID \($0)" } ?? ""
    try page.heading("\(device.device)\(pasid) on \(device.unit): \(device.translation)")
    for entry in device.path {
      try page.blank()
      try page.paragraph("\(entry.structure) at \(entry.address)", indent: 2, style: .bold)
      try EntryText(entry).draw(to: page)
    }
    guard let table = device.table else { return }
    try page.blank()
    let leaves = device.entries.count { $0.leaf }
    try page.paragraph(
      "page tables from \(table) down, \(TextPage.text(device.levels)) levels: "
        + "\(Quantity.count(device.entries.count, "present entry", "present entries")), "
        + Quantity.count(leaves, "leaf", "leaves"), indent: 2, style: .bold)
    try page.table(
      [.left("level"), .right("iova"), .right("entry at"), .right("word"), .left("fields")],
      count: device.entries.count, what: "entries"
    ) { index in
      let row = device.entries[index]
      let level = row.entry.level ?? 0
      return [
        String(repeating: " ", count: max(0, 5 - level)) + "L\(level)", row.iova.description,
        row.entry.address.description, row.entry.raw.first?.description ?? "",
        EntryText(row.entry).summary,
      ]
    }
    if device.isCut {
      try page.paragraph("further entries were not read", indent: 2, style: .yellow)
    }
    for obstacle in device.obstacles.prefix(page.shown(device.obstacles.count)) {
      try page.paragraph("! \(obstacle)", indent: 2, hanging: 2, style: .yellow)
    }
  }

  static func hex(_ bus: UInt8) -> String {
    (bus < 16 ? "0" : "") + String(bus, radix: 16)
  }
}

extension TextPage {
  /// A line of our own drawing, which keeps its blanks.
  func verbatim(_ line: String, indent: Int) throws(OutputError) {
    try field(line, "", indent: indent, labelWidth: Self.width - indent)
  }
}
