// SPDX-License-Identifier: Apache-2.0

import Memory
import Owners
import RemappingState

/// Who reaches physical memory, for a reader at a terminal.
public struct OwnersText {
  /// Rows per list; `nil` for all.
  public var limit: Int?
  public var color: Bool

  public init(limit: Int? = 20, color: Bool = false) {
    self.limit = limit
    self.color = color
  }

  public func write(_ document: OwnersDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: limit, color: color)
    for (index, answer) in document.ranges.enumerated() {
      if index > 0 { try page.blank() }
      try page.heading(
        answer.start == answer.end ? "\(answer.start)" : "\(answer.start) to \(answer.end)")
      try page.table(
        [.right("pages from"), .right("to"), .left("kind"), .left("detail")],
        count: answer.pages.count, what: "kinds of pages"
      ) { row in
        let pages = answer.pages[row]
        return [
          pages.start.description, pages.end.description, pages.kind.rawValue,
          TextPage.text(pages.detail),
        ]
      }
      guard !answer.reaches.isEmpty else {
        try page.paragraph(
          document.tablesComplete
            ? "no device reaches it, and no table maps it"
            : "nothing that could be read leads to it", indent: 2)
        continue
      }
      // A row for each device: a list of them would be cut, and the driver be that of one of them.
      let ways = answer.reaches.flatMap { reach in
        reach.devices.isEmpty ? [(reach, nil)] : reach.devices.map { (reach, Optional($0)) }
      }
      try page.table(
        [
          .left("device"), .left("driver"), .left("unit"), .right("domain-id"), .right("iova"),
          .right("physical"), .right("bytes"), .left("access"), .left("reachable"),
        ], count: ways.count, what: "ways"
      ) { row in
        let (reach, requester) = ways[row]
        let device = requester.map { requester in
          requester.device.description
            + (requester.pasid.flatMap { $0 == 0 ? nil : " PASID \($0)" } ?? "")
        }
        return [
          device ?? (reach.unit == nil ? "any" : "any behind it"), TextPage.text(requester?.driver),
          TextPage.text(reach.unit),
          TextPage.text(reach.domainID), reach.iova.description, reach.physical.description,
          "\(Quantity.length(reach.iova, reach.iovaEnd) ?? 0)",
          reach.access.rawValue + Self.route(reach), reach.reachable ? "yes" : "no",
        ]
      }
      var told: Set<String> = []
      for reach in answer.reaches {
        guard let obstacle = reach.obstacle, told.insert(obstacle).inserted else { continue }
        let devices = reach.devices.map(\.device.description).joined(separator: ", ")
        try page.paragraph(
          "! \(devices): mapped and not reachable, \(obstacle)", indent: 2, hanging: 2,
          style: .yellow
        )
      }
    }
    if !document.tablesComplete {
      try page.blank()
      try page.paragraph(
        "! not all tables could be read: there may be more devices and more ways", hanging: 2,
        style: .yellow)
    }
    try page.finish(document.cuts)
  }

  private static func route(_ reach: Reach) -> String {
    switch reach.translation {
    case .passThrough: " pass-through"
    case .untranslated: " untranslated"
    case .secondStage, .firstStage, .nested: ""
    }
  }
}
