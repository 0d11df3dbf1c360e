// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import RemappingState
internal import Survey

/// Many dumps for a reader at a terminal: a line each, the worst first.
public struct SurveyText {
  public var limit: Int?
  public var color: Bool

  public init(limit: Int? = nil, color: Bool = false) {
    self.limit = limit
    self.color = color
  }

  public func write(_ document: SurveyDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: limit, color: color)
    let judged = document.dumps.filter { $0.failure == nil }
    let failed = document.dumps.filter { $0.failure != nil }
    let folder = Self.commonFolder(document.dumps.map(\.file))
    func name(_ file: String) -> String { String(file.dropFirst(folder.count)) }

    var title = Quantity.count(document.dumps.count, "dump")
    if !folder.isEmpty { title += " below \(folder)" }
    if !failed.isEmpty { title += ", \(failed.count) of them could not be judged" }
    if document.others > 0 {
      title += "; \(Quantity.count(document.others, "other file")) passed by"
    }
    try page.heading(title)
    if !judged.isEmpty {
      try page.table(
        [
          .left("kernel"), .left("memory"), .left("E/W/F"), .left("units"), .right("in flight"),
          .left("release"), .left("panic"), .left("dump"),
        ], count: judged.count, what: "dumps"
      ) { index in
        let dump = judged[index]
        // The widths add up to a line, so that every dump has one.
        return [
          dump.crashKernel?.answer.rawValue ?? TextPage.unknown,
          dump.crashKernel?.verdict.rawValue ?? TextPage.unknown, Self.counts(dump),
          Self.head(Self.units(dump.units), 10),
          dump.inFlight.map(Self.inFlight) ?? TextPage.unknown,
          Self.head(dump.release ?? TextPage.unknown, 14),
          Self.head(dump.panic ?? TextPage.unknown, 13),
          Self.tail(name(dump.file), 18),
        ]
      }
      try page.paragraph(
        "kernel: whether a crash kernel gets through; memory: how safe it is from old transfers;"
          + " E/W/F: errors, warnings, refused requests in the log", indent: 2)
    }
    for group in document.groups.prefix(page.shown(document.groups.count)) {
      try page.blank()
      switch group.kind {
      case .sameCrash:
        try page.heading("One crash, saved \(group.files.count) times")
      case .alike:
        try page.heading("\(group.files.count) dumps of crashes that look alike")
      }
      if let panic = group.panic { try page.field("panic", panic) }
      if let release = group.release { try page.field("release", release) }
      if !group.rules.isEmpty { try page.field("findings", group.rules.joined(separator: ", ")) }
      try page.field("dumps", page.list(group.files.map(name)))
    }
    try page.cut(document.groups.count, "groups", indent: 0)
    if !failed.isEmpty {
      try page.blank()
      try page.heading("Could not be judged")
      for dump in failed.prefix(page.shown(failed.count)) {
        try page.paragraph(
          "\(name(dump.file)): \(dump.failure?.text ?? "")", indent: 2, hanging: 2)
      }
      try page.cut(failed.count, "dumps", indent: 2)
    }
    try page.finish()
  }

  private static func units(_ units: SurveyedDump.Units?) -> String {
    guard let units else { return TextPage.unknown }
    let modes = units.modes.map(\.rawValue).joined(separator: "+")
    let count =
      units.translating == units.count
      ? "\(units.count)" : "\(units.translating)/\(units.count)"
    return modes.isEmpty ? count : "\(count) \(modes)"
  }

  private static func inFlight(_ transfers: SurveyedDump.InFlight) -> String {
    guard transfers.domains > 0 else { return "none" }
    return Quantity.iec(transfers.bytes) ?? "\(transfers.bytes) B"
  }

  /// `2/0/1`; unknown ones are a dash.
  private static func counts(_ dump: SurveyedDump) -> String {
    [dump.findings?.errors, dump.findings?.warnings, dump.faults].map(TextPage.text)
      .joined(separator: "/")
  }

  /// The folder that all files are in, with its slash; empty for one file, or where they share none.
  static func commonFolder(_ files: [String]) -> String {
    guard let first = files.first, files.count > 1 else { return "" }
    var common = first.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    for file in files.dropFirst() {
      let parts = file.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      common = common.prefix(zip(common, parts).prefix { $0 == $1 }.count)
    }
    return common.isEmpty ? "" : common.joined(separator: "/") + "/"
  }

  /// The end of a text, which tells more of a path or release than its start.
  private static func tail(_ text: String, _ width: Int) -> String {
    text.count > width ? "..." + text.suffix(width - 3) : text
  }

  private static func head(_ text: String, _ width: Int) -> String {
    text.count > width ? text.prefix(width - 3) + "..." : text
  }
}
