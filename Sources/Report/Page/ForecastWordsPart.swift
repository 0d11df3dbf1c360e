// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import Memory
internal import RemappingState
internal import Translation
internal import VTd

/// The entries of one unit before and after, decoded: what a policy makes of each word.
struct ForecastWordsPart {
  let page: HTMLPage
  let unit: UnitForecast
  /// Of the old tables.
  let mode: TableMode
  /// Begins the ids of the rows.
  let prefix: String

  /// An entry on both sides.
  private struct Entry {
    var device: PCIFunction
    var pasid: UInt32?
    var old: [HexWord]?
    var new: [ForecastWord]?
    var layout: [BitField]
  }

  private var entries: [Entry] {
    unit.contexts.map {
      Entry(device: $0.device, old: $0.old, new: $0.new, layout: mode.contextLayout)
    }
      + unit.pasids.map {
        Entry(
          device: $0.device, pasid: $0.pasid, old: $0.old, new: $0.new, layout: PASIDEntry.layout)
      }
  }

  func write() {
    let entries = entries
    guard !entries.isEmpty else { return }
    page.table(
      "entries before and after",
      [
        .init(title: "device"), .init(title: "pasid", isNumeric: true),
        .init(title: "old words, decoded"), .init(title: "what the new ones have otherwise"),
      ], count: entries.count, prefix: prefix
    ) { index in
      let entry = entries[index]
      page.writer.element("td") {
        page.writer.link(
          "\(entry.device)",
          to: page.targets.tables.entry(unit.unit, entry.device, entry.pasid)
            ?? page.targets.device("\(entry.device)"),
          title: page.targets.name("\(entry.device)", of: "device"))
      }
      page.cell(entry.pasid.map { .number("\($0)", Double($0)) } ?? .nothing, of: "pasid")
      page.writer.element("td") {
        guard let old = entry.old else { return page.writer.text("not present") }
        let decoded = DecodedEntry(
          structure: "", address: PhysicalAddress(0), words: old.map(\.rawValue),
          layout: entry.layout.filter { $0.bits.lowerBound < 64 * old.count })
        page.writer.element("code", EntryText(decoded).summary)
      }
      page.writer.element("td") {
        guard entry.new != nil else { return page.writer.text("not present") }
        let changes = changes(of: entry)
        if changes.isEmpty { return page.writer.text("nothing") }
        page.writer.element("code", changes.joined(separator: " "))
      }
    }
    page.paragraph(
      "A pointer with a plus sign is one into the new tables, from where they begin.", dim: true)
  }

  /// Fields whose value differs, with the new one.
  private func changes(of entry: Entry) -> [String] {
    guard let new = entry.new else { return [] }
    let after = new.map { word -> UInt64 in
      switch word {
      case .exact(let word), .arena(let word): word
      }
    }
    let before = (entry.old ?? []).map(\.rawValue)
    let missing = [UInt64](repeating: 0, count: max(0, after.count - before.count))
    return entry.layout.reversed().compactMap { field -> String? in
      let word = field.bits.lowerBound / 64
      guard word < new.count else { return nil }
      let isMoved = if case .arena = new[word] { true } else { false }
      let (old, value) = (field.meant(in: before + missing), field.meant(in: after))
      // In a word with a pointer into the new tables everything but the pointer is as it is.
      let isPointer = isMoved && field.bits.count > 16
      guard old != value || isPointer else { return nil }
      return "\(field.name)=\(isPointer ? "+" : "")\(value < 10 ? "\(value)" : value.hexadecimal)"
    }
  }
}
