// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import Translation

/// One table page, or one entry of one, for a reader at a terminal.
struct TableContentsText {
  private let table: TableContents
  private let dump: String

  /// - Parameter dump: for the command that tells more.
  init(_ table: TableContents, dump: String) {
    self.table = table
    self.dump = dump
  }

  func write(to page: TextPage) throws(OutputError) {
    guard let structure = table.structure else {
      try page.heading("\(table.asked): no table or queue of a known unit")
      try page.field(
        "what it is",
        ShellWords.line(["iommuscope", "owners", dump, table.asked.description]), labelWidth: 18)
      return
    }
    try page.heading("\(table.address): \(structure)")
    if let iova = table.iova, let level = table.level {
      try page.field("stands for", "IOVA \(iova) and on, \(Self.span(level))")
      try page.field("top of the tree", TextPage.text(table.table))
    }
    if !table.devices.isEmpty {
      try page.field("devices", page.list(table.devices.map(\.description)))
    }
    try page.field("pointed to by", table.pointedToBy.map { "\($0)" } ?? "a register")
    if let obstacle = table.obstacle {
      try page.field("the page", obstacle, labelStyle: .yellow)
    }
    if table.isOfOneEntry {
      for row in table.entries { try write(row, to: page) }
      return
    }
    let used = table.entries.reduce(0) { $0 + $1.count }
    try page.field("not zero", "\(used) of \(table.slots) entries")
    guard !table.entries.isEmpty else { return }
    try page.blank()
    try page.table(
      [
        .right("entries"), .left(Self.subjectTitle(table)), .right("entry at"), .right("leads to"),
        .left("fields"),
      ], count: table.entries.count, what: "entries"
    ) { index in
      let row = table.entries[index]
      return [
        Self.numbers(row), Self.subject(row), row.entry.address.description,
        TextPage.text(row.target),
        (row.present ? "" : "not present: ") + EntryText(row.entry).summary,
      ]
    }
  }

  private func write(_ row: TableContents.Row, to page: TextPage) throws(OutputError) {
    try page.field("entry", "\(row.index) of \(table.slots), at \(row.entry.address)")
    let subject = Self.subject(row)
    if subject != TextPage.unknown { try page.field(Self.subjectTitle(table), subject) }
    try page.field(
      row.leaf == true ? "maps" : "leads to",
      row.present ? TextPage.text(row.target) : "nowhere: the entry is not present")
    try page.blank()
    try page.paragraph(row.entry.structure, indent: 2, style: .bold)
    try EntryText(row.entry).draw(to: page)
  }

  /// `3`, or `3-17` of a row for several entries.
  static func numbers(_ row: TableContents.Row) -> String {
    row.count > 1 ? "\(row.index)-\(row.index + row.count - 1)" : "\(row.index)"
  }

  static func subjectTitle(_ table: TableContents) -> String {
    guard let first = table.entries.first else { return "for" }
    if first.iova != nil { return "iova" }
    if first.device != nil { return "device" }
    if first.bus != nil { return "bus" }
    return first.pasid != nil ? "pasid" : "what"
  }

  /// What the entry is for.
  static func subject(_ row: TableContents.Row) -> String {
    if let iova = row.iova { return iova.description }
    if let device = row.device { return device.description }
    if let bus = row.bus { return TablesText.hex(bus) }
    return row.pasid.map { "\($0)" } ?? row.entry.structure
  }

  private static func span(_ level: Int) -> String {
    let bytes: UInt64 = 1 << UInt64(12 + 9 * min(max(level, 1), 5))
    return Quantity.iec(bytes) ?? "\(bytes) bytes"
  }
}
