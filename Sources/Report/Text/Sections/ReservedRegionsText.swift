// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// One row per region and device: what firmware reserved, and what the device's tables really map.
struct ReservedRegionsText {
  private struct Row {
    var region: ReservedRegion
    var isFirst: Bool
    var device: DeviceName?
    var mapped: ReservedRegion.Coverage?
  }

  private let rows: [Row]

  init(_ state: RemappingState) {
    var byDevice: [DeviceName: Device] = [:]
    for device in state.devices { byDevice[device.device] = device }
    var rows: [Row] = []
    for region in state.reservedRegions {
      if region.devices.isEmpty {
        rows.append(Row(region: region, isFirst: true, device: nil, mapped: region.mapped))
      }
      for (index, name) in region.devices.enumerated() {
        let own = byDevice[name]?.reservedRegions.first {
          $0.kind == region.kind && $0.base == region.base && $0.end == region.end
        }
        rows.append(
          Row(region: region, isFirst: index == 0, device: name, mapped: own?.mapped))
      }
    }
    self.rows = rows
  }

  func write(to page: TextPage) throws(OutputError) {
    guard !rows.isEmpty else {
      try page.paragraph("none known", indent: 2)
      return
    }
    try page.table(
      [
        .left("kind"), .right("segment"), .right("base"), .right("end"), .right("bytes"),
        .right("size"), .left("device"), .left("mapped"),
      ], count: rows.count, what: "rows"
    ) { index in
      let row = rows[index]
      let region = row.region
      let length = Quantity.length(region.base, region.end)
      let place =
        row.isFirst
        ? [
          region.kind.rawValue, TextPage.text(region.segment), region.base.description,
          region.end.description, TextPage.text(length), length.flatMap(Quantity.iec) ?? "",
        ] : Array(repeating: "", count: 6)
      return place + [
        TextPage.text(row.device), row.mapped?.rawValue ?? TextPage.unknown,
      ]
    }
  }
}
