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
    try page.heading(
      "trace ring: \(Quantity.count(document.events.count, "remapping event")), newest last")
    for problem in document.problems {
      try page.paragraph("! \(problem)", indent: 2, hanging: 2, style: .yellow)
    }
    let events = document.events.suffix(page.shown(document.events.count))
    if events.count < document.events.count {
      try page.paragraph(
        "... \(document.events.count - events.count) older ones; --limit 0 shows all", indent: 2,
        style: .cyan)
    }
    for event in events {
      try page.paragraph(
        "\(event.seconds) cpu \(event.cpu) pid \(event.process) \(event.name): \(event.text)",
        indent: 2, hanging: 4)
    }
    try page.blank()
    try page.heading(
      "invalidation queues: \(Quantity.count(document.invalidations.count, "descriptor")), newest last"
    )
    let descriptors = document.invalidations.suffix(page.shown(document.invalidations.count))
    if descriptors.count < document.invalidations.count {
      try page.paragraph(
        "... \(document.invalidations.count - descriptors.count) older ones; --limit 0 shows all",
        indent: 2, style: .cyan)
    }
    for descriptor in descriptors {
      let fields = descriptor.fields.filter { $0.name != "TYPE" && $0.name != "TYPEH" }.map {
        let value = $0.value.rawValue
        return "\($0.name)=\(value < 10 ? "\(value)" : value.hexadecimal)"
      }.joined(separator: " ")
      try page.paragraph(
        "-\(descriptor.age) \(descriptor.unit)[\(descriptor.slot)] \(descriptor.type) \(fields)"
          + (descriptor.status == 1 ? " (not completed)" : ""), indent: 2, hanging: 4)
    }
    try page.finish()
  }
}
