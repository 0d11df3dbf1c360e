// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// The address space of one domain: what the tables map above, what the allocator holds below.
struct AddressBand {
  let domain: Domain
  /// The row that pieces lead to; `nil` where there is none.
  let target: (UInt64) -> String?
  /// Reserved regions of the domain's devices, by address.
  let regions: [(kind: ReservedRegion.Kind, extent: Extent)]

  static let legend: [(look: String, words: String)] = [
    ("live", "mapped, writable"), ("ro", "mapped, read only"), ("flight", "transfers in flight"),
    ("alloc", "allocated and mapped"), ("unmapped", "allocated, nothing mapped"),
    ("cached", "freed, in a CPU's cache"), ("pending", "unmapped, waits for its flush"),
    ("flushed", "unmapped and flushed"), ("reserved", "reserved"),
    ("stray", "mapped, not allocated"), ("firmware", "fixed: RMRR"), ("acpi", "fixed: ISA, other"),
    ("crash-kernel", "fixed: interrupts (MSI)"), ("memory", "fixed: window of a host bridge"),
  ]

  /// Whether there is anything to draw.
  var isEmpty: Bool {
    // Reserved windows alone are the machine's, not the domain's.
    (domain.mapping?.runs.isEmpty ?? true)
      && !(domain.iova?.allocated.contains { $0.state != .reserved } ?? false)
  }

  func draw(to writer: HTMLWriter) {
    let runs = domain.mapping?.runs ?? []
    let nodes = domain.iova?.allocated ?? []
    let mapped = runs.lazy.map { Extent($0) }
    // The reserved windows of a host bridge are as wide as the machine's address space; they are
    // drawn where something else is.
    let scale = AddressScale(
      AddressScale.merged(Array(mapped))
        + nodes.lazy.filter { $0.state != .reserved }.map {
          Extent($0.start.rawValue, $0.end.rawValue)
        }
        + regions.map(\.extent), from: 70, width: 920)
    guard !scale.pieces.isEmpty else { return }
    let hasAllocator = domain.iova != nil
    // Below the tables and the allocator, where there is one.
    let fixed = hasAllocator ? 70.0 : 43.0
    let bottom = fixed + 14
    Picture.draw(
      "Address space of \(domain.label)", description, height: Int(bottom) + 47, to: writer
    ) { picture in
      picture.text("tables", 0, 30, "s")
      let writable = extents(of: runs) { $0.access != .read }
      let readable = extents(of: runs) { $0.access == .read }
      for bar in scale.bars(writable) { picture.rectangle(bar.x, 16, bar.width, 20, "live") }
      for bar in scale.bars(readable) { picture.rectangle(bar.x, 16, bar.width, 20, "ro") }
      if domain.inFlight {
        for piece in scale.pieces where runs.contains(where: { Extent($0).overlaps(piece.extent) })
        {
          let end = piece.x + piece.width
          let path = [piece.x, end].map(Picture.number)
          writer.open(
            "path", [("class", "flight"), ("d", "M\(path[0]),14V10H\(path[1])V14")])
          writer.close("path")
        }
      }
      if hasAllocator {
        picture.text("allocator", 0, 57, "s")
        let states: [(IOVARange.State, String)] = [
          (.reserved, "reserved"), (.live, "alloc"), (.unmapped, "unmapped"), (.cached, "cached"),
          (.flushed, "flushed"), (.pending, "pending"),
        ]
        for (state, look) in states {
          let extents = nodes.lazy.filter { $0.state == state }
            .map { Extent($0.start.rawValue, $0.end.rawValue) }
          for bar in scale.bars(extents) { picture.rectangle(bar.x, 43, bar.width, 20, look) }
        }
        let stray = (domain.iova?.unallocated ?? []).lazy
          .map { Extent($0.start.rawValue, $0.end.rawValue) }
        for bar in scale.bars(stray) { picture.rectangle(bar.x, 41, bar.width, 24, "stray") }
      }
      drawFixed(scale, picture, y: fixed)
      for piece in scale.pieces {
        let inside = runs.count { Extent($0).overlaps(piece.extent) }
        let words =
          "\(HexWord(piece.extent.start)) to \(HexWord(piece.extent.end)), "
          + Quantity.count(inside, "run")
        picture.link(target(piece.extent.start), words) {
          picture.rectangle(
            piece.x - 2, 8, piece.width + 4, bottom - 6, "hit", title: words)
        }
      }
      scale.label(picture, y: bottom + 8)
    }
  }

  /// What no device's transfers may be given: reserved regions, and the windows of host bridges, as far as
  /// something else is drawn there.
  private func drawFixed(_ scale: AddressScale, _ picture: Picture, y: Double) {
    picture.text("fixed", 0, y + 11, "s")
    func draw(_ extents: [Extent], _ look: String, _ words: String) {
      for bar in scale.bars(AddressScale.merged(extents)) {
        picture.rectangle(bar.x, y, bar.width, 14, look, title: words)
      }
    }
    // What the allocator reserved and no region explains.
    let windows = (domain.iova?.allocated ?? []).lazy.filter { $0.state == .reserved }
      .map { Extent($0.start.rawValue, $0.end.rawValue) }
      .filter { node in !regions.contains { $0.extent.overlaps(node) } }
    draw(scale.parts(of: AddressScale.merged(Array(windows))), "memory", "window of a host bridge")
    let kinds: [(ReservedRegion.Kind, String)] = [
      (.isa, "acpi"), (.other, "acpi"), (.msi, "crash-kernel"), (.rmrr, "firmware"),
    ]
    for (kind, look) in kinds {
      for region in regions where region.kind == kind {
        draw(
          scale.parts(of: [region.extent]), look,
          "\(kind.rawValue) \(HexWord(region.extent.start)) to \(HexWord(region.extent.end))")
      }
    }
  }

  private func extents(
    of runs: [Run], where fits: @escaping (Run) -> Bool
  ) -> some Sequence<Extent> {
    runs.lazy.filter(fits).map { Extent($0) }
  }

  /// The picture in words.
  private var description: String {
    var parts: [String] = []
    if let mapping = domain.mapping {
      parts.append(
        "\(Quantity.bytes(mapping.bytes)) mapped in \(Quantity.count(mapping.runs.count, "run"))")
    }
    if let space = domain.iova { parts.append("allocator: \(AllocatorText.account(space))") }
    if domain.inFlight { parts.append("transfers in flight") }
    if !regions.isEmpty {
      let words = regions.prefix(8).map {
        "\($0.kind.rawValue) \(HexWord($0.extent.start)) to \(HexWord($0.extent.end))"
      }
      parts.append("fixed: " + words.joined(separator: ", "))
    }
    return parts.joined(separator: "; ") + "."
  }
}

extension Extent {
  init(_ run: Run) {
    let length = run.length.rawValue
    let (end, overflow) = run.iova.rawValue.addingReportingOverflow(length == 0 ? 0 : length - 1)
    self.init(run.iova.rawValue, overflow ? .max : end)
  }

  func overlaps(_ other: Extent) -> Bool { start <= other.end && end >= other.start }
}
