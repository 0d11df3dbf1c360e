// SPDX-License-Identifier: Apache-2.0

import Memory
public import Owners
import RemappingState

/// One device for a reader at a terminal: who it is, where its requests go, what it can reach.
public struct DeviceText {
  private let view: DeviceView
  /// From a list of PCI names; `nil` where there is none.
  private let name: String?
  private let limit: Int?
  private let color: Bool

  public init(_ view: DeviceView, name: String? = nil, limit: Int? = 20, color: Bool = false) {
    self.view = view
    self.name = name
    self.limit = limit
    self.color = color
  }

  public func write(_ document: ReportDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: limit, color: color)
    try page.heading("DEVICE \(view.device)")
    try identity(document, to: page)
    try page.blank()
    try page.heading("WHERE ITS REQUESTS GO")
    try sources(to: page)
    for space in view.spaces {
      try page.blank()
      try write(space, to: page)
    }
    try page.blank()
    try page.heading("WHAT IT CAN REACH")
    try reach(to: page)
    try page.blank()
    try page.heading("RESERVED REGIONS and how they are mapped")
    try ReservedRegionsText(document.state).write(to: page)
    try page.blank()
    try page.heading("FINDINGS about it and its unit")
    try FindingsText(document.findings, dump: document.state.dump.file).write(to: page)
    try page.finish(document.state.cuts)
  }

  private func identity(
    _ document: ReportDocument, to page: TextPage
  ) throws(OutputError) {
    let id = view.pciID.map { "PCI \($0)" } ?? "not known to the kernel"
    try page.field("what", [name, id].compactMap(\.self).joined(separator: ", "))
    try page.field(
      "driver",
      view.driver ?? (view.pciID == nil ? "not known" : "none is bound"))
    try page.field("group", view.group.map { "IOMMU group \($0)" } ?? "none known")
    let translation =
      switch view.translationEnabled {
      case true?: "which translates"
      case false?: "which does not translate"
      case nil: "of which nothing tells whether it translates"
      }
    try page.field("unit", view.unit.map { "\($0), \(translation)" } ?? "not known")
    try page.field("kernel's domain", view.domainType.map(Self.meaning) ?? "none attached")
    guard let faults = document.state.faults else { return }
    let ids = Set(view.sourceIDs.map(\.sourceID))
    let rows = faults.devices.filter { ids.contains($0.device) }
    try page.field(
      "faults",
      rows.isEmpty
        ? "none in the log" + (faults.problem == nil ? "" : "; the log could not be read whole")
        : rows.map { "\($0.device): \(FaultWords.kinds($0))" }.joined(separator: "; ")
          + "; run `iommuscope faults`")
  }

  private static func meaning(_ type: DomainType) -> String {
    switch type {
    case .dma: "dma: the kernel's DMA API maps"
    case .dmaFQ: "dma-fq: the kernel's DMA API maps, and flushes unmapped addresses later (lazy)"
    case .identity: "identity: pass-through"
    case .unmanaged: "unmanaged: its user maps, such as VFIO for a guest"
    case .blocked: "blocked: nothing is mapped"
    case .sva: "sva: the address space of a process"
    case .nested: "nested: a guest's tables on top of the host's"
    case .unknown: "of a type that is not known"
    }
  }

  private func sources(to page: TextPage) throws(OutputError) {
    if view.sourceIDs.isEmpty { try page.paragraph("it has no PCI source id", indent: 2) }
    for (index, id) in view.sourceIDs.enumerated() {
      let role = index == 0 ? "its own id" : "alias: requests may arrive under it"
      var text: String
      switch id.context {
      case .present:
        text = "context present, \(id.translation?.rawValue ?? "none")"
        if let domain = id.domainID { text += ", domain-id \(domain)" }
        if !id.pasids.isEmpty {
          text +=
            "; PASIDs \(Quantity.ranges(id.pasids.sorted()).prefix(8).joined(separator: ", "))"
        }
      case .absent: text = "no context: every request under this id faults"
      case .notKnown: text = "not known whether a context is there"
      }
      try page.field(
        "\(id.sourceID)", "\(text) (\(role))",
        labelStyle: id.context == .absent ? .red : .plain)
    }
  }

  private func write(_ space: DeviceView.Space, to page: TextPage) throws(OutputError) {
    var title = space.unit ?? "no unit"
    title += space.domainID.map { " domain-id \($0)" } ?? ", no domain-id"
    title += ": \(space.type.rawValue)"
    if let stage = space.stage { title += ", \(stage.rawValue) stage" }
    if let levels = space.levels { title += ", \(levels) levels" }
    if let table = space.table { title += ", top table \(table)" }
    try page.paragraph(title, indent: 2, hanging: 2, style: .bold)
    if !space.others.isEmpty {
      try page.paragraph(
        "also of \(page.list(space.others.map(\.description)))", indent: 4, hanging: 2)
    }
    if space.isPassThrough {
      try page.paragraph("every address is let through as it is", indent: 4)
      return
    }
    try page.paragraph(
      "\(Quantity.count(space.windows.count, "window")), "
        + "\(Quantity.grouped(space.distinctPages)) distinct "
        + "\(space.distinctPages == 1 ? "page" : "pages"), "
        + "\(Quantity.grouped(space.bytes)) bytes mapped"
        + (space.isWhole ? "" : "; some tables could not be read, so there may be more"),
      indent: 4, hanging: 2)
    guard !space.windows.isEmpty else { return }
    try page.table(
      [
        .right("first"), .right("last"), .right("mapped bytes"), .right("size"), .right("runs"),
        .left("access"),
      ], count: space.windows.count, what: "windows", indent: 4
    ) { index in
      let window = space.windows[index]
      return [
        window.start.description, window.end.description, "\(window.bytes)",
        Quantity.iec(window.bytes) ?? "", "\(window.runs)",
        (window.isReadable ? "r" : "") + (window.isWritable ? "w" : ""),
      ]
    }
    try page.paragraph(
      "A window joins runs with less than 2 MiB between them.", indent: 4, hanging: 2)
  }

  private func reach(to page: TextPage) throws(OutputError) {
    for row in view.reach {
      var answer: String
      switch row.answer {
      case .yes: answer = row.isWritable == true ? "YES, and can write: " : "YES, read only: "
      case .no: answer = "no: "
      case .notKnown: answer = "not known: "
      }
      answer += row.reason
      try page.field(
        Self.name(row.what), answer, labelWidth: 22,
        labelStyle: row.answer == .yes ? .red : row.answer == .notKnown ? .yellow : .plain)
    }
    guard !view.pages.isEmpty else { return }
    try page.blank()
    try page.table(
      [.left("its pages are"), .right("pages"), .right("writable")], count: view.pages.count,
      what: "kinds of pages"
    ) { index in
      let row = view.pages[index]
      return [row.kind.rawValue, "\(row.pages)", "\(row.writable)"]
    }
  }

  private static func name(_ subject: DeviceView.Reach.Subject) -> String {
    switch subject {
    case .kernelText: "kernel code"
    case .kernelData: "kernel data"
    case .pageTables: "page tables"
    case .remappingTables: "IOMMU tables"
    case .crashKernel: "crash reservation"
    case .freePages: "free pages"
    }
  }
}
