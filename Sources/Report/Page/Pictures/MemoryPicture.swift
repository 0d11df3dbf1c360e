// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// Physical memory as devices see it: what lies where, and how many devices can write there.
struct MemoryPicture {
  private let regions: [MemoryRegion]
  /// Writable mappings, each with the number of devices that it serves, by address.
  private let writable: [(extent: Extent, devices: Int)]
  /// Pages of tables that the state names.
  private let tables: [UInt64]
  /// Units where devices write wherever they like.
  let unprotected: [String]

  static let legend: [(look: String, words: String)] = [
    ("memory", "memory"), ("kernel-text", "kernel code"), ("kernel-data", "kernel data"),
    ("crash-kernel", "crash reservation"), ("firmware", "firmware's"), ("acpi", "ACPI tables"),
    ("table", "remapping tables"), ("live", "devices can write"),
    ("arrow", "devices can write into code, tables or the crash reservation"),
  ]

  /// Mappings that are looked at one by one; beyond it the rest of a domain is left out and said.
  static let limit = 1 << 20

  init(_ state: RemappingState) {
    regions = state.memoryMap
    var writable: [(extent: Extent, devices: Int)] = []
    for domain in state.domains {
      let devices = max(1, domain.devices.count)
      for run in domain.mapping?.runs ?? [] where run.access != .read {
        if writable.count == Self.limit { break }
        let length = run.length.rawValue
        let start = run.physical.rawValue
        let (end, overflow) = start.addingReportingOverflow(length == 0 ? 0 : length - 1)
        writable.append((Extent(start, overflow ? .max : end), devices))
      }
    }
    self.writable = writable.sorted { $0.extent.start < $1.extent.start }
    var tables: Set<UInt64> = []
    for unit in state.units {
      for address in [unit.rootTable, unit.interruptRemapping?.table, unit.invalidationQueue?.base]
      {
        if let address { tables.insert(address.rawValue & ~0xfff) }
      }
    }
    for context in state.contexts {
      tables.insert(context.entry.rawValue & ~0xfff)
      if context.translation != .nested, let table = context.table { tables.insert(table.rawValue) }
    }
    self.tables = tables.sorted()
    let passing = Set(state.contexts.filter { $0.translation == .passThrough }.map(\.unit))
    unprotected = state.units.filter {
      $0.translationEnabled == false || passing.contains($0.name)
    }.map(\.name)
  }

  var isEmpty: Bool { regions.isEmpty && writable.isEmpty }

  func draw(to writer: HTMLWriter) {
    let memory = regions.map { Extent($0.start.rawValue, $0.end.rawValue) }
    let merged = AddressScale.merged(writable.map(\.extent))
    let scale = AddressScale(memory + merged, from: 90, width: 900, pieces: 8)
    guard !scale.pieces.isEmpty else { return }
    let precious = exposed(merged)
    Picture.draw(
      "Physical memory", description(merged, precious), height: 150, to: writer
    ) { picture in
      picture.text("what it is", 0, 38, "s")
      picture.text("written by", 0, 82, "s")
      let order: [MemoryRegion.Kind] = [
        .memory, .firmware, .acpi, .kernelData, .kernelText, .crashKernel,
      ]
      for kind in order {
        let some = regions.filter { $0.kind == kind }
        for region in some {
          let extent = Extent(region.start.rawValue, region.end.rawValue)
          for piece in scale.pieces {
            guard let bar = scale.place(extent, in: piece) else { continue }
            picture.rectangle(
              bar.x, 24, bar.width, 22, kind.rawValue,
              title: "\(kind.rawValue) \(region.start) to \(region.end)")
          }
        }
      }
      for bar in scale.bars(tables.map { Extent($0, $0 | 0xfff) }) {
        picture.rectangle(bar.x, 46, bar.width, 7, "table")
      }
      for (bar, devices) in density(scale) {
        // One device is seen; more fill the lane.
        let height = min(32, 8 + 6 * Double(devices))
        picture.rectangle(
          bar.x, 96 - height, bar.width, height, "live",
          title: Quantity.count(devices, "device can", "devices can") + " write here")
      }
      for (extent, what) in precious.prefix(64) {
        for piece in scale.pieces {
          guard let bar = scale.place(extent, in: piece) else { continue }
          picture.mark(
            bar.x + bar.width / 2, 23, "arrow",
            title:
              "devices can write into \(what), \(HexWord(extent.start)) to \(HexWord(extent.end))")
        }
      }
      scale.label(picture, y: 112)
    }
  }

  /// How many devices can write where, in steps that a screen shows.
  private func density(
    _ scale: AddressScale
  ) -> [(bar: (x: Double, width: Double), devices: Int)] {
    var bins = [Int](repeating: 0, count: 1000)
    var piece = 0
    for (extent, devices) in writable {
      while piece < scale.pieces.count, scale.pieces[piece].extent.end < extent.start { piece += 1 }
      guard piece < scale.pieces.count, let bar = scale.place(extent, in: scale.pieces[piece])
      else { continue }
      let first = min(999, max(0, Int(bar.x)))
      let last = min(999, max(first, Int(bar.x + bar.width - 0.5)))
      for bin in first...last { bins[bin] = max(bins[bin], devices) }
    }
    var result: [(bar: (x: Double, width: Double), devices: Int)] = []
    for (bin, devices) in bins.enumerated() where devices > 0 {
      if let last = result.last, last.devices == devices,
        last.bar.x + last.bar.width == Double(bin)
      {
        result[result.count - 1].bar.width += 1
      } else {
        result.append(((Double(bin), 1), devices))
      }
    }
    return result
  }

  /// Where writable mappings reach what no device should write.
  private func exposed(_ merged: [Extent]) -> [(extent: Extent, what: String)] {
    var precious = regions.compactMap { region -> (Extent, String)? in
      let extent = Extent(region.start.rawValue, region.end.rawValue)
      switch region.kind {
      case .kernelText: return (extent, "kernel code")
      case .crashKernel: return (extent, "the crash reservation")
      case .memory, .firmware, .acpi, .kernelData: return nil
      }
    }
    precious += tables.map { (Extent($0, $0 | 0xfff), "a remapping table") }
    return precious.compactMap { extent, what in
      let hit = merged.partitioningIndex { $0.end >= extent.start }
      guard hit < merged.count, merged[hit].overlaps(extent) else { return nil }
      return (
        Extent(max(extent.start, merged[hit].start), min(extent.end, merged[hit].end)), what
      )
    }
  }

  private func description(_ merged: [Extent], _ precious: [(extent: Extent, what: String)])
    -> String
  {
    let bytes = merged.reduce(0 as UInt64) { $0.addingClamped($1.bytes) }
    var text = "Devices can write \(Quantity.bytes(bytes)) through their tables"
    if precious.isEmpty {
      text += ", nothing of kernel code, tables or the crash reservation"
    } else {
      text += "; among it: " + precious.prefix(8).map(\.what).joined(separator: ", ")
    }
    return text + "."
  }
}

extension Array {
  /// The first place from which on `belongs` holds, in an array where it holds for a tail.
  func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = low + (high - low) / 2
      if belongs(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
