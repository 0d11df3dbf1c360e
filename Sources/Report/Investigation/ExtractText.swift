// SPDX-License-Identifier: Apache-2.0

/// What travels in an extract, for whoever is about to hand it on.
public struct ExtractText {
  public struct Row: Hashable, Sendable {
    public var meaning: String
    public var pages: Int

    public init(meaning: String, pages: Int) {
      self.meaning = meaning
      self.pages = pages
    }
  }

  /// What was left out.
  public struct Redacted: Hashable, Sendable {
    public var meaning: String
    public var bytes: Int

    public init(meaning: String, bytes: Int) {
      self.meaning = meaning
      self.bytes = bytes
    }
  }

  public init() {}

  public func write(
    _ path: String, size: UInt64, isCompressed: Bool, _ rows: [Row],
    redacted: [Redacted] = [], to sink: any ByteSink
  ) throws(OutputError) {
    let page = TextPage(sink, limit: nil, color: false)
    let total = rows.reduce(0) { $0 + $1.pages }
    try page.heading(
      "\(path): \(Quantity.bytes(size))\(isCompressed ? ", compressed" : ""), with "
        + "\(Quantity.count(total, "page")) of memory, \(Quantity.bytes(UInt64(total) << 12))")
    try page.table(
      [.right("pages"), .right("size"), .left("what they hold")], count: rows.count, what: "kinds"
    ) { index in
      let row = rows[index]
      return [
        String(row.pages), Quantity.iec(UInt64(row.pages) << 12) ?? "0", row.meaning,
      ]
    }
    if !redacted.isEmpty {
      try page.blank()
      try page.paragraph("left out:", style: .bold)
      for row in redacted {
        try page.paragraph(
          "\(row.meaning): \(Quantity.count(row.bytes, "byte"))", indent: 2, hanging: 2)
      }
    }
    try page.finish()
  }
}
