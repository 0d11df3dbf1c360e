// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
public import Translation

/// What a page is told beside its document: which tables the dump holds, and what devices are called.
public struct PageContext: Sendable {
  /// The tables that the evidence lies in; `nil` where there is no dump.
  public var tables: TableExcerpt?
  /// The words of a command that decodes the table at an address, which is to follow.
  public var command: [String]
  /// Names of PCI devices by vendor and device, `8086:10d3`.
  public var names: [String: String]

  public init(
    tables: TableExcerpt? = nil, command: [String] = [], names: [String: String] = [:]
  ) {
    self.tables = tables
    self.command = command
    self.names = names
  }
}

/// Where on a page tables and their entries are.
struct TableTargets {
  private var pages: [UInt64: TableContents] = [:]
  /// By the top of their tree: leaves, ascending.
  private var leaves: [PhysicalAddress: [TableContents.Row]] = [:]
  /// Ids of context and PASID entries.
  private var entries: [Requester: String] = [:]

  private struct Requester: Hashable {
    var unit: String?
    var device: PCIFunction?
    var pasid: UInt32?
  }

  init(_ excerpt: TableExcerpt?) {
    for page in excerpt?.pages ?? [] {
      pages[page.address.frame] = page
      for row in page.entries where row.device != nil {
        entries[Requester(unit: page.unit, device: row.device, pasid: row.pasid)] = Self.id(of: row)
      }
      guard let top = page.table else { continue }
      leaves[top, default: []] += page.entries.filter { $0.leaf == true }
    }
    for top in leaves.keys {
      leaves[top]?.sort { ($0.iova?.rawValue ?? 0) < ($1.iova?.rawValue ?? 0) }
    }
  }

  /// The id of the table or of the entry at an address; `nil` where the page has none.
  func target(_ address: UInt64) -> String? {
    guard let page = pages[address >> 12] else { return nil }
    guard address & 0xfff != 0,
      let row = page.entries.last(where: { $0.entry.address.rawValue <= address }),
      address < row.entry.address.rawValue + UInt64(8 * row.entry.raw.count * row.count)
    else { return Self.id(of: page) }
    return Self.id(of: row)
  }

  /// The id of the context entry of a device.
  func entry(_ unit: String, _ device: PCIFunction, _ pasid: UInt32?) -> String? {
    entries[Requester(unit: unit, device: device, pasid: pasid)]
      ?? entries[Requester(unit: unit, device: device, pasid: nil)]
  }

  /// The id of the entry that maps an address below the top of a tree.
  func leaf(_ iova: UInt64, below top: PhysicalAddress?) -> String? {
    guard let rows = top.flatMap({ leaves[$0.pageBase] }) else { return nil }
    var (low, high) = (0, rows.count)
    while low < high {
      let middle = (low + high) / 2
      if (rows[middle].iova?.rawValue ?? 0) <= iova { low = middle + 1 } else { high = middle }
    }
    guard low > 0, let start = rows[low - 1].iova?.rawValue, let level = rows[low - 1].entry.level
    else { return nil }
    let pages = (iova - start) >> UInt64(3 + 9 * min(max(level, 1), 5))
    return pages < UInt64(rows[low - 1].count) ? Self.id(of: rows[low - 1]) : nil
  }

  static func id(of page: TableContents) -> String { "table-\(page.address)" }
  static func id(of row: TableContents.Row) -> String { "entry-\(row.entry.address)" }
}

/// The section of a page with the tables, word by word.
struct TablePart {
  let page: HTMLPage
  let context: PageContext
  private var writer: HTMLWriter { page.writer }

  /// The section; `nil` where there is nothing to say.
  var section: HTMLPage.Section? {
    guard let tables = context.tables else { return nil }
    return .init(
      id: "tables", title: "Tables",
      count: Quantity.grouped(UInt64(tables.pages.count)), body: body)
  }

  private func body() {
    guard let tables = context.tables else { return }
    page.paragraph(
      "Word by word what the dump holds, as hardware reads it. An address on this page leads here"
        + " where its table is shown.", dim: true)
    command("Any table by its address", "ADDRESS")
    if tables.left > 0 {
      page.paragraph(
        "\(Quantity.count(tables.left, "more page")) of tables and queues"
          + " \(tables.left == 1 ? "is" : "are") not written here; the command shows each.",
        dim: true)
    }
    for cut in tables.cuts.prefix(64) { page.paragraph("Not all was looked at: \(cut)") }
    for table in tables.pages {
      write(table)
      if writer.hasFailed { return }
    }
  }

  private func command(_ label: String, _ address: String) {
    guard !context.command.isEmpty else { return }
    writer.element("p") {
      writer.text("\(label): ")
      writer.element("code", ShellWords.line(context.command + [address]))
    }
  }

  private func write(_ table: TableContents) {
    writer.open("details", [("id", TableTargets.id(of: table)), ("class", "table")])
    writer.open("summary")
    writer.element("code", table.address.description)
    writer.text(" \(table.structure.map { "\($0)" } ?? "no table")")
    let used = table.entries.reduce(0) { $0 + $1.count }
    writer.element("span", [("class", "n")], " \(used) of \(table.slots) entries are not zero")
    writer.close("summary")
    writer.open("dl")
    if let iova = table.iova {
      page.term("from IOVA", iova.description)
    }
    if !table.devices.isEmpty {
      writer.element("dt", "devices")
      writer.open("dd")
      for (number, device) in table.devices.prefix(8).enumerated() {
        if number > 0 { writer.text(", ") }
        writer.link("\(device)", to: page.targets.device("\(device)"))
      }
      if table.devices.count > 8 { writer.text(" and \(table.devices.count - 8) more") }
      writer.close("dd")
    }
    writer.element("dt", "pointed to by")
    writer.open("dd")
    if let entry = table.pointedToBy {
      address(entry)
    } else {
      writer.text("a register, or the kernel alone")
    }
    writer.close("dd")
    if let obstacle = table.obstacle { page.term("the page", obstacle) }
    writer.close("dl")
    if !table.entries.isEmpty { entries(table) }
    command("The same at a terminal", table.address.description)
    writer.close("details")
  }

  private func entries(_ table: TableContents) {
    // What the fields are, once for all entries.
    var seen: Set<String> = []
    var meanings: [String] = []
    for row in table.entries where meanings.count < 32 {
      for field in row.entry.fields where field.name != "reserved" && field.name != "ignored" {
        guard !field.meaning.isEmpty, seen.insert("\(field.name) \(field.high)").inserted else {
          continue
        }
        let bits = field.high == field.low ? "\(field.high)" : "\(field.high):\(field.low)"
        meanings.append("\(field.name) [\(bits)] \(field.meaning)")
      }
    }
    page.paragraph(meanings.joined(separator: " \u{b7} "), dim: true)
    func id(_ index: Int) -> String { TableTargets.id(of: table.entries[index]) }
    page.table(
      "entries at \(table.address)",
      [
        .init(title: "entry", isNumeric: true), .init(title: TableContentsText.subjectTitle(table)),
        .init(title: "at", isNumeric: true), .init(title: "words, the highest first"),
        .init(title: "leads to", isNumeric: true), .init(title: "fields that are not zero"),
      ], count: table.entries.count, prefix: "entry", taken: table.entries.count,
      id: id
    ) { index in
      let row = table.entries[index]
      page.cell(number: row.index, TableContentsText.numbers(row))
      page.cell(TableContentsText.subject(row))
      page.cell(.word(row.entry.address.rawValue), of: "at")
      writer.element("td", [("class", "w wrap")]) {
        writer.text(row.entry.raw.reversed().map(\.description).joined(separator: " "))
      }
      writer.element(
        "td", [("class", "w num"), ("data-k", "\(row.target?.rawValue ?? 0)")]
      ) {
        if let target = row.target { address(target) } else { writer.text("-") }
      }
      writer.element("td") {
        if !row.present {
          page.tag("not present", kind: "")
          writer.text(" ")
        }
        writer.element("code", EntryText(row.entry).summary)
      }
    }
  }

  private func address(_ address: PhysicalAddress) {
    page.value(.address(address.rawValue), of: "address")
  }
}
