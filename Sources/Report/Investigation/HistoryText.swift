// SPDX-License-Identifier: Apache-2.0

import History
import Memory
import Translation

/// What happened last, for a reader at a terminal.
public struct HistoryText {
  /// Rows per list, the newest ones; `nil` for all.
  public var limit: Int?
  public var color: Bool

  public init(limit: Int? = 60, color: Bool = false) {
    self.limit = limit
    self.color = color
  }

  public func write(_ document: HistoryDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: limit, color: color)
    try writeCoverage(document, to: page)
    try page.blank()
    try writeEvents(document, to: page)
    try page.blank()
    try writeDescriptors(document, to: page)
    try page.finish(document.cuts)
  }

  // MARK: What is covered

  private func writeCoverage(_ document: HistoryDocument, to page: TextPage) throws(OutputError) {
    try page.heading("What is left of the time before the crash")
    if let ring = document.ring {
      let state: String =
        switch ring.isRecording {
        case true?: "recording"
        case false?: "switched off"
        case nil: "not known"
        }
      let enabled =
        ring.enabled.map {
          $0.isEmpty
            ? "; no event of iommu or intel_iommu was switched on"
            : "; switched on: " + page.list($0)
        } ?? ""
      try page.field("trace ring", state + enabled)
      if let first = ring.first, let last = ring.last {
        try page.field(
          "it covers",
          "\(TraceEvent.seconds(first)) to \(TraceEvent.seconds(last)): "
            + Self.duration(last - min(first, last))
            + (ring.others > 0 ? ", with \(ring.others) events of other systems" : ""))
      } else {
        try page.field("it covers", "nothing: it is empty")
      }
      try page.field("panic", Self.panic(ring))
      if ring.overruns > 0 || ring.dropped > 0 {
        try page.field(
          "lost",
          "\(ring.overruns) older events overwritten, \(ring.dropped) dropped", labelStyle: .yellow)
      }
    }
    for problem in document.problems {
      try page.paragraph("! \(problem)", indent: 2, hanging: 2, style: .yellow)
    }
    var asked: [String] = []
    if let device = document.selection.device { asked.append("device \(device)") }
    if let last = document.selection.last { asked.append("the last \(Self.duration(last))") }
    if !asked.isEmpty { try page.field("shown", asked.joined(separator: ", ")) }
    if document.unattributed > 0 {
      try page.field(
        "",
        "\(document.unattributed) events are left out because nothing tells whose they are: a map or "
          + "unmap names no device, and its address is not mapped any more")
    }
  }

  private static func panic(_ ring: RingCoverage) -> String {
    guard let panic = ring.panic else { return "the log does not tell when" }
    let time = "at \(TraceEvent.seconds(panic))"
    guard ring.countsLikeLog else {
      return "\(time) by the log's clock, which the trace clock cannot be compared with"
    }
    guard let before = ring.beforePanic else {
      return ring.last == nil ? time : "\(time); the newest event is later than that"
    }
    return "\(time), \(duration(before)) after the newest event"
  }

  /// `1.234 s`, `56.7 ms`, `890 us`, rounded down.
  static func duration(_ time: UInt64) -> String {
    if time >= 1_000_000_000 { return fraction(time / 1_000_000, "s") }
    if time >= 1_000_000 { return fraction(time / 1_000, "ms") }
    return time >= 1_000 ? fraction(time, "us") : "\(time) ns"
  }

  private static func fraction(_ thousandths: UInt64, _ unit: String) -> String {
    let rest = String(thousandths % 1000)
    return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - rest.count)
      + "\(rest) \(unit)"
  }

  // MARK: Events

  /// Events that follow each other alike: one row.
  private struct Row {
    var event: TraceEvent
    var last: TraceEvent
    var count = 1
    /// Of all its events, for maps and unmaps.
    var addresses: ClosedRange<UInt64>?
    var bytes: UInt64 = 0

    init(_ event: TraceEvent) {
      self.event = event
      last = event
      if let iova = event.iova, let length = event.length, length > 0 {
        addresses = iova...max(iova, iova &+ (length - 1))
        bytes = length
      }
    }

    /// Takes in a neighbour: the same kind by the same process, at the next addresses.
    mutating func takes(_ next: TraceEvent) -> Bool {
      guard next.name == event.name, next.cpu == event.cpu, next.process == event.process,
        next.devices == event.devices
      else { return false }
      let other = Row(next)
      if let mine = addresses, let its = other.addresses {
        guard
          its.lowerBound == mine.upperBound &+ 1 || mine.lowerBound == its.upperBound &+ 1
        else { return false }
        addresses =
          min(mine.lowerBound, its.lowerBound)...max(mine.upperBound, its.upperBound)
        let (sum, overflow) = bytes.addingReportingOverflow(other.bytes)
        bytes = overflow ? .max : sum
      } else if next.text != event.text || addresses != nil || other.addresses != nil {
        return false
      }
      last = next
      count += 1
      return true
    }
  }

  private func writeEvents(_ document: HistoryDocument, to page: TextPage) throws(OutputError) {
    var rows: [Row] = []
    for event in document.events {
      if rows.isEmpty || !rows[rows.count - 1].takes(event) { rows.append(Row(event)) }
    }
    try page.heading(
      "trace ring: \(Quantity.count(document.events.count, "remapping event")) in "
        + "\(Quantity.count(rows.count, "row")), newest last")
    for row in try newest(rows, on: page) {
      let event = row.event
      var text = "\(event.seconds) cpu \(event.cpu) pid \(event.process) \(event.name): "
      if row.count == 1 {
        text += event.text
      } else if let addresses = row.addresses {
        text +=
          "\(row.count) times, \(addresses.lowerBound.hexadecimal)-"
          + "\(addresses.upperBound.hexadecimal), \(Quantity.bytes(row.bytes)), until "
          + row.last.seconds
      } else {
        text += "\(event.text), \(row.count) times until \(row.last.seconds)"
      }
      if event.iova != nil || !event.words.isEmpty {
        text += Self.names(event.devices, document.names)
      }
      try page.paragraph(text, indent: 2, hanging: 4)
    }
  }

  /// The rows that are shown; says how many older ones there are.
  private func newest<Item>(
    _ rows: [Item], on page: TextPage
  ) throws(OutputError) -> ArraySlice<Item> {
    let shown = rows.suffix(page.shown(rows.count))
    if shown.count < rows.count {
      try page.paragraph(
        "... \(rows.count - shown.count) older rows; --limit 0 shows all", indent: 2, style: .cyan)
    }
    return shown
  }

  private static func names(_ devices: [DeviceName], _ names: EventNames?) -> String {
    guard !devices.isEmpty else { return "" }
    let shown = devices.prefix(3).map { names?.withDriver($0) ?? $0.description }
    let rest = devices.count > 3 ? " and \(devices.count - 3) more" : ""
    return " (" + shown.joined(separator: ", ") + rest + ")"
  }

  // MARK: Descriptors

  private func writeDescriptors(
    _ document: HistoryDocument, to page: TextPage
  ) throws(OutputError) {
    // A wait stands in the row of what it waited for; equal neighbours are one row.
    var rows: [DescriptorRow] = []
    for descriptor in document.invalidations {
      guard let previous = rows.last, previous.first.unit == descriptor.unit else {
        rows.append(DescriptorRow(descriptor))
        continue
      }
      guard previous.first.isFetched == descriptor.isFetched else {
        rows.append(DescriptorRow(descriptor))
        continue
      }
      if descriptor.isWait, !previous.first.isWait, !descriptor.isPending {
        rows[rows.count - 1].waits.append(descriptor)
      } else if previous.first.raw == descriptor.raw,
        previous.first.isPending == descriptor.isPending
      {
        rows[rows.count - 1].last = descriptor
        rows[rows.count - 1].count += 1
      } else {
        rows.append(DescriptorRow(descriptor))
      }
    }
    try page.heading(
      "invalidation queues: \(Quantity.count(document.invalidations.count, "descriptor")) in "
        + "\(Quantity.count(rows.count, "row")), newest last; they carry no time")
    for queue in document.queues { try writeStand(queue, to: page) }
    var fetched: [String: Bool?] = [:]
    for row in try newest(rows, on: page) {
      let descriptor = row.first
      if let queue = document.queues.first(where: { $0.unit == descriptor.unit }),
        queue.head != nil, fetched[descriptor.unit] != .some(descriptor.isFetched)
      {
        fetched[descriptor.unit] = .some(descriptor.isFetched)
        if let mark = Self.mark(descriptor, queue) {
          try page.paragraph(mark, indent: 2, hanging: 4, style: .cyan)
        }
      }
      var text = "-\(descriptor.age)"
      if row.count > 1 { text += "..-\(row.last.age)" }
      text += " " + Self.words(descriptor)
      if row.count > 1 { text += ", \(row.count) times" }
      if descriptor.isPending { text += " (not completed)" }
      text += Self.names(descriptor.devices, document.names)
      if let wait = row.waits.last {
        text += row.waits.count > 1 ? "; \(row.waits.count) waits, the last " : "; "
        text += Self.words(wait)
      }
      try page.paragraph(text, indent: 2, hanging: 4)
    }
  }

  /// Where the unit stands, and what it and the kernel do not agree on.
  private func writeStand(_ queue: QueueAccount, to page: TextPage) throws(OutputError) {
    if let head = queue.head, let tail = queue.tail {
      let rest = queue.unfetched ?? 0
      try page.paragraph(
        "\(queue.unit): the unit fetches slot \(head) next (IQH) and was told of slots up to before "
          + "\(tail) (IQT): "
          + (rest == 0 ? "it has fetched all" : "\(Quantity.count(rest, "slot")) not fetched")
          + "; the kernel fills slot \(queue.kernelNext) next and has taken back those before "
          + "\(queue.kernelOldest)"
          + (queue.kernelFree.map { ", \($0) of \(queue.entries) are free" } ?? ""),
        indent: 2, hanging: 4)
    }
    for sentence in queue.sentences {
      try page.paragraph("! \(queue.unit): \(sentence)", indent: 2, hanging: 4, style: .yellow)
    }
  }

  /// What stands between descriptors of which the registers tell different things.
  private static func mark(_ descriptor: PastInvalidation, _ queue: QueueAccount) -> String? {
    switch descriptor.isFetched {
    case true?: nil
    case false?:
      "--- \(queue.unit) stands here, at slot \(queue.head ?? 0) (IQH): what follows was not fetched ---"
    case nil:
      "--- the registers of \(queue.unit) do not tell of what follows: it was filled after they were read"
        + " ---"
    }
  }

  /// `dmar0[197] iotlb GRAN=3 DID=2`.
  private static func words(_ descriptor: PastInvalidation) -> String {
    let fields = descriptor.fields.filter { $0.name != "TYPE" && $0.name != "TYPEH" }.map {
      let value = $0.value.rawValue
      return "\($0.name)=\(value < 10 ? "\(value)" : value.hexadecimal)"
    }
    return (["\(descriptor.unit)[\(descriptor.slot)]", descriptor.type] + fields)
      .joined(separator: " ")
  }

  /// Descriptors that say the same, with the waits that followed them.
  private struct DescriptorRow {
    var first: PastInvalidation
    var last: PastInvalidation
    var count = 1
    var waits: [PastInvalidation] = []

    init(_ descriptor: PastInvalidation) {
      first = descriptor
      last = descriptor
    }
  }
}
