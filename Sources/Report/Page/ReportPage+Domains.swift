// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension ReportParts {
  /// Runs of one domain that are listed one by one; more are folded into windows.
  private static var runLimit: Int { 200 }
  /// Domains that are drawn and listed with their runs.
  private static var domainLimit: Int { 128 }

  func domains() {
    guard !state.domains.isEmpty else {
      page.paragraph("none found", dim: true)
      return
    }
    // Those with something to see first, in the order of the table.
    let worth = state.domains.indices.prefix(taken.domains).filter { !band(at: $0, 0).isEmpty }
    let shown =
      (worth.filter { state.domains[$0].inFlight }
      + worth.filter { !state.domains[$0].inFlight }).prefix(Self.domainLimit)
    table(drawn: Set(shown))
    if !shown.isEmpty {
      page.writer.element("h3", "Address spaces")
      page.paragraph(
        "Gaps are folded; a piece is as wide as the logarithm of its size.", dim: true)
      Picture.legend(AddressBand.legend, to: page.writer)
    }
    for index in shown.sorted() { details(index) }
    if shown.count < worth.count { page.cut(worth.count - shown.count) }
  }

  private func table(drawn: Set<Int>) {
    let columns: [HTMLPage.Column] = [
      .init(title: "unit"), .init(title: "domain id", isNumeric: true), .init(title: "type"),
      .init(title: "stage"), .init(title: "table", isNumeric: true), .init(title: "devices"),
      .init(title: "in flight"), .init(title: "runs", isNumeric: true),
      .init(title: "mapped", isNumeric: true), .init(title: "allocator"), .init(title: "walk"),
    ]
    page.table(
      "domains", columns, count: state.domains.count, prefix: "domains", taken: taken.domains
    ) { index in
      let domain = state.domains[index]
      page.cell(Shown(domain.unit), of: "unit")
      page.cell(Shown(domain.domainID), of: "domainID")
      page.cell(domain.type.rawValue)
      page.cell(domain.stage?.rawValue ?? "-")
      page.cell(Shown(domain.table), of: "table")
      devices(domain)
      page.cell(domain.inFlight ? "yes" : "no")
      if let mapping = domain.mapping {
        page.writer.element("td", [("class", "num"), ("data-k", "\(mapping.runs.count)")]) {
          page.writer.link(
            Quantity.grouped(UInt64(mapping.runs.count)),
            to: drawn.contains(index) ? "space-\(index)" : nil)
        }
        page.cell(bytes: mapping.bytes)
      } else {
        page.cell("-")
        page.cell("-")
      }
      page.cell(domain.iova.map(AllocatorText.account) ?? "-")
      page.writer.element("td") {
        guard let walk = domain.walk else {
          page.writer.text("-")
          return
        }
        page.writer.open("details")
        page.writer.element("summary", Quantity.count(walk.tables, "table"))
        page.list(ShownField.fields(of: walk))
        page.writer.close("details")
      }
    }
  }

  /// The first few, so that a domain of a thousand devices is still a row.
  private func devices(_ domain: Domain) {
    page.writer.element("td", [("data-k", "\(domain.devices.count)")]) {
      for (number, device) in domain.devices.prefix(4).enumerated() {
        if number > 0 { page.writer.text(", ") }
        page.writer.link("\(device)", to: page.targets.device("\(device)"))
      }
      if domain.devices.count > 4 { page.writer.text(" and \(domain.devices.count - 4) more") }
      if domain.devices.isEmpty { page.writer.text("-") }
    }
  }

  /// - Parameter rows: how many of the windows have a row to lead to.
  private func band(at index: Int, _ rows: Int) -> AddressBand {
    let domain = state.domains[index]
    let windows = RunWindow.windows(of: domain.mapping?.runs ?? [], limit: Self.runLimit)
    return AddressBand(
      domain: domain,
      target: { address in
        windows.lastIndex { $0.start <= address }.flatMap {
          $0 < rows ? "space-\(index)-\($0)" : nil
        }
      },
      regions: regions(of: domain))
  }

  /// Reserved regions of the domain's devices, those that are named more than once only once.
  private func regions(of domain: Domain) -> [(kind: ReservedRegion.Kind, extent: Extent)] {
    let devices = Set(domain.devices)
    var regions: [(kind: ReservedRegion.Kind, extent: Extent)] = []
    for region in state.reservedRegions where region.devices.contains(where: devices.contains) {
      let extent = Extent(region.base.rawValue, region.end.rawValue)
      guard !regions.contains(where: { $0 == (region.kind, extent) }) else { continue }
      regions.append((region.kind, extent))
      // A picture has no room for more.
      if regions.count == 64 { break }
    }
    return regions.sorted { $0.extent.start < $1.extent.start }
  }

  private func details(_ index: Int) {
    let domain = state.domains[index]
    let writer = page.writer
    writer.open("article", [("id", "space-\(index)")])
    writer.open("h3")
    writer.link("\(domain.label)", to: "domains-\(index)")
    writer.element(
      "span", [("class", "n")],
      "\(domain.type.rawValue)\(domain.inFlight ? ", in flight" : "")")
    writer.close("h3")
    let windows = RunWindow.windows(of: domain.mapping?.runs ?? [], limit: Self.runLimit)
    let rows = page.take(windows.count)
    band(at: index, rows).draw(to: writer)
    if let runs = domain.mapping?.runs, !runs.isEmpty { list(runs, windows, of: index, rows) }
    allocator(domain, of: index)
    writer.close("article")
  }

  private func list(_ runs: [Run], _ windows: [RunWindow], of index: Int, _ rows: Int) {
    let isFolded = windows.count < runs.count
    page.writer.open("details", runs.count <= 12 ? [("open", "")] : [])
    page.writer.element(
      "summary",
      isFolded
        ? "\(Quantity.grouped(UInt64(runs.count))) runs, folded into \(windows.count) windows"
        : Quantity.count(runs.count, "run"))
    if isFolded {
      page.paragraph(
        "Runs that follow each other are one row here; --format ndjson has each of them.", dim: true
      )
    }
    let columns: [HTMLPage.Column] = [
      .init(title: "IOVA", isNumeric: true), .init(title: "to", isNumeric: true),
      .init(title: "physical", isNumeric: true), .init(title: "size", isNumeric: true),
      .init(title: "access"), .init(title: "runs", isNumeric: true),
    ]
    page.table(
      isFolded ? "windows" : "runs", columns, count: windows.count,
      prefix: "space-\(index)", taken: rows
    ) { place in
      let window = windows[place]
      page.writer.element("td", [("class", "w num"), ("data-k", "\(window.start)")]) {
        page.writer.element("code") {
          page.writer.link(
            HexWord(window.start).description,
            to: page.targets.tables.leaf(window.start, below: state.domains[index].table))
        }
      }
      page.cell(.word(window.end), of: "end")
      page.cell(window.physical.map { .address($0) } ?? .text("several"), of: "physical")
      page.cell(bytes: window.bytes)
      page.cell(window.access)
      page.cell(number: window.runs)
    }
    page.writer.close("details")
  }

  private func allocator(_ domain: Domain, of index: Int) {
    guard let space = domain.iova else { return }
    let odd = space.allocated.filter { $0.state != .live }
    if !odd.isEmpty {
      page.writer.open("details")
      page.writer.element(
        "summary", "Allocator: \(AllocatorText.account(space)); those that are not live")
      page.rows(
        Array(odd.prefix(Self.runLimit)), "allocated ranges that are not live",
        prefix: "nodes-\(index)", columns: ["start", "end", "state"])
      if odd.count > Self.runLimit { page.cut(odd.count - Self.runLimit) }
      page.writer.close("details")
    }
    if let unallocated = space.unallocated, !unallocated.isEmpty {
      page.writer.open("details")
      page.writer.element(
        "summary", "Mapped but not allocated: \(Quantity.count(unallocated.count, "range"))")
      for range in unallocated.prefix(Self.runLimit) {
        page.writer.element("p") { page.writer.element("code", "\(range.start) to \(range.end)") }
      }
      if unallocated.count > Self.runLimit {
        page.cut(unallocated.count - Self.runLimit)
      }
      page.writer.close("details")
    }
  }
}

/// Runs that follow each other, as one row.
struct RunWindow {
  var start: UInt64
  /// Inclusive.
  var end: UInt64
  var bytes: UInt64
  var runs: Int
  /// Of a single run.
  var physical: UInt64?
  var access: String

  /// At most `limit` windows with about as many runs in each.
  static func windows(of runs: [Run], limit: Int) -> [RunWindow] {
    let size = max(1, (runs.count + limit - 1) / max(1, limit))
    return stride(from: 0, to: runs.count, by: size).map { first in
      let part = runs[first..<min(runs.count, first + size)]
      var window = RunWindow(
        start: part[first].iova.rawValue, end: Extent(part[first]).end, bytes: 0,
        runs: part.count, physical: part.count == 1 ? part[first].physical.rawValue : nil,
        access: "")
      var kinds: Set<Access> = []
      for run in part {
        window.end = Extent(run).end
        window.bytes = window.bytes.addingClamped(run.length.rawValue)
        kinds.insert(run.access)
      }
      window.access = Access.allCases.filter(kinds.contains).map(\.rawValue)
        .joined(separator: ", ")
      return window
    }
  }
}
