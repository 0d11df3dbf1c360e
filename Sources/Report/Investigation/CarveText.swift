// SPDX-License-Identifier: Apache-2.0

import Memory

/// Carved roots for a reader at a terminal.
public struct CarveText {
  /// Rows per list; `nil` for all.
  public var limit: Int?
  public var color: Bool

  public init(limit: Int? = 20, color: Bool = false) {
    self.limit = limit
    self.color = color
  }

  public func write(_ document: CarveDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: limit, color: color)
    let bytes = Quantity.iec(document.pages << 12) ?? "0 bytes"
    try page.heading(
      "\(Quantity.count(document.roots.count, "root table")) in \(document.pages) pages (\(bytes))")
    for root in document.roots {
      try page.blank()
      try page.paragraph(
        "\(root.address)  \(root.mode)  score \(root.score)", indent: 2, style: .bold)
      for reason in root.reasons { try page.paragraph("- \(reason)", indent: 4, hanging: 2) }
      for other in root.sharesTablesWith {
        try page.paragraph(
          "- leads to some of the same page tables as \(other): one is a copy of the other, as a "
            + "crash kernel makes it", indent: 4, hanging: 2)
      }
      try page.field(
        "devices", page.list(root.devices.map(\.description)), indent: 4, labelWidth: 14)
      try page.field(
        "domain-ids", page.list(Quantity.ranges(root.domainIDs.map(UInt32.init))), indent: 4,
        labelWidth: 14)
      try page.field(
        "go on with",
        "iommuscope tables DUMP --root \(root.address)"
          + (root.mode == "legacy" ? "" : ",\(root.mode)"), indent: 4, labelWidth: 14)
    }
    try page.finish(document.cuts)
  }
}
