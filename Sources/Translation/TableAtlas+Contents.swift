// SPDX-License-Identifier: Apache-2.0

internal import Evidence
public import Memory
internal import RemappingState
internal import VTd

extension TableAtlas {
  /// The page that an address lies in, with its entries; only the one entry that the address lies in where
  /// the address is not that of a page.
  ///
  /// Neighbours among the leaves of a page table whose words go on, each one page more, are one row.
  public func contents(at address: PhysicalAddress) -> TableContents {
    var result = TableContents(
      asked: address, address: address.pageBase, devices: [], slots: 0, entries: [])
    guard let place = places[address.frame] else { return result }
    let space = place.space.map { spaces[$0] }
    let reader = EntryReader(place: place, base: address.pageBase, stage: space?.stage)
    result.structure = .tablePage(place.page)
    result.unit = place.unit.isEmpty ? nil : place.unit
    result.domainID = space?.domainID
    result.level = place.level
    result.table = space?.top
    result.iova = place.iova
    result.devices = space.map { Array(Set($0.devices)).sorted() } ?? []
    result.pointedToBy = place.pointedToBy
    result.slots = Page.wordCount / reader.width
    do {
      let (page, isAssumed) = try evidence.memory.pageOrAssumedZero(address.frame)
      if isAssumed { result.obstacle = "is a hole of the dump and was taken for zeros" }
      let slots =
        result.isOfOneEntry
        ? [address.pageOffset / (8 * reader.width)] : Array(0..<result.slots)
      for slot in slots {
        let words = (0..<reader.width).map { page[word: slot * reader.width + $0] }
        guard result.isOfOneEntry || words.contains(where: { $0 != 0 }) else { continue }
        var row = reader.row(slot, words, isAssumed)
        if row.target == nil { row.target = targets[row.entry.address] }
        // Nobody can go there without asking the second stage.
        if space?.isGuest == true { row.target = nil }
        if let last = result.entries.last, goesOn(row, behind: last) {
          result.entries[result.entries.count - 1].count += 1
        } else {
          result.entries.append(row)
        }
      }
    } catch {
      result.obstacle = "cannot be read: \(error)"
    }
    return result
  }

  private func goesOn(_ row: TableContents.Row, behind last: TableContents.Row) -> Bool {
    guard row.leaf == true, last.leaf == true, row.index == last.index + last.count,
      let level = row.entry.level, let word = row.entry.raw.first?.rawValue,
      let first = last.entry.raw.first?.rawValue
    else { return false }
    return word == first &+ UInt64(last.count) &* PagingRules.span(level: level)
  }
}

/// Entries of one page, one by one.
private struct EntryReader {
  let place: TableAtlas.Place
  let base: PhysicalAddress
  let stage: Stage?

  /// Words of an entry.
  var width: Int {
    switch place.page {
    case .table(.rootTable, _), .table(.rootEntry, _): place.mode == .legacy ? 2 : 1
    case .table(.contextTable, _), .table(.contextEntry, _): place.mode == .legacy ? 2 : 4
    case .table(.pasidDirectory, _), .table(.pasidDirectoryEntry, _), .pageTable: 1
    case .table(.pasidTable, _), .table(.pasidEntry, _): 8
    case .interruptRemapping: 2
    case .invalidationQueue: place.entryBytes / 8
    }
  }

  func row(_ slot: Int, _ words: [UInt64], _ isAssumed: Bool) -> TableContents.Row {
    let address = PhysicalAddress(base.rawValue | UInt64(slot * width * 8))
    func row(
      _ structure: String, _ layout: [BitField], present: Bool, level: Int? = nil
    ) -> TableContents.Row {
      TableContents.Row(
        index: slot, count: 1, present: present,
        entry: DecodedEntry(
          structure: structure, level: level, address: address, words: words,
          layout: layout.filter { $0.bits.lowerBound < 64 * words.count },
          assumedZero: isAssumed))
    }
    let low = words.first ?? 0
    switch place.page {
    case .table(.rootTable, _), .table(.rootEntry, _):
      let isLegacy = place.mode == .legacy
      let half = isLegacy ? "" : slot % 2 == 0 ? ", lower half" : ", upper half"
      var row = row(
        "root entry\(half)",
        place.mode.rootLayout,
        present: low[bit: 0])
      row.bus = UInt8(truncatingIfNeeded: isLegacy ? slot : slot / 2)
      return row
    case .table(.contextTable, _), .table(.contextEntry, _):
      var row = row("context entry", place.mode.contextLayout, present: low[bit: 0])
      row.bus = place.bus
      if let bus = place.bus {
        let devfn = place.mode == .legacy ? slot : place.half * 128 + slot
        row.device = PCIFunction(
          segment: place.segment, bus: bus, devfn: UInt8(truncatingIfNeeded: devfn))
      }
      return row
    case .table(.pasidDirectory, _), .table(.pasidDirectoryEntry, _):
      var row = row("PASID directory entry", PASIDDirectoryEntry.layout, present: low[bit: 0])
      row.pasid = UInt32(clamping: (place.first + slot) * 64)
      return row
    case .table(.pasidTable, _), .table(.pasidEntry, _):
      var row = row("PASID entry", PASIDEntry.layout, present: low[bit: 0])
      row.pasid = UInt32(clamping: place.first + slot)
      return row
    case .interruptRemapping:
      let entry = InterruptRemapEntry(words: words)
      var row = row("interrupt remapping entry", entry.fields, present: low[bit: 0])
      row.index = place.first + slot
      return row
    case .invalidationQueue:
      let descriptor = InvalidationDescriptor(words: words)
      var row = row(
        "\(descriptor.type) descriptor", descriptor.fields, present: low != 0)
      row.index = place.first + slot
      return row
    case .pageTable:
      let stage = stage ?? .second
      let level = place.level ?? 1
      var row = row(
        stage.entryName, stage.layout(of: low, level: level), present: false, level: level)
      let start = place.iova?.rawValue ?? 0
      // The upper half of a first-stage top table stands for addresses that continue the sign.
      let offset = UInt64(slot) << UInt64(PagingRules.shift(level: level))
      let width = 12 + 9 * level
      let isCanonical =
        stage == .first && slot >= 256 && width < 64 && place.isTop
      row.iova = IOVirtualAddress(
        start &+ offset &+ (isCanonical ? UInt64.max << UInt64(width) : 0))
      if let target = stage.target(of: low, level: level) {
        row.present = true
        row.leaf = target.isLeaf
        row.target = target.address
      }
      return row
    }
  }
}
