// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// One row per device the kernel knew, and its other source ids.
struct DevicesText {
  let state: RemappingState

  init(_ state: RemappingState) { self.state = state }

  func write(to page: TextPage) throws(OutputError) {
    guard !state.devices.isEmpty else {
      try page.paragraph("none found", indent: 2)
      return
    }
    try page.table(
      [
        .left("device"), .left("pci id"), .left("driver"), .right("group"), .left("unit"),
        .right("domain-id"), .left("default"), .right("domain"),
      ], count: state.devices.count, what: "devices"
    ) { index in
      let device = state.devices[index]
      return [
        device.device.description, TextPage.text(device.pciID), TextPage.text(device.driver),
        TextPage.text(device.group), TextPage.text(device.unit), TextPage.text(device.domainID),
        TextPage.text(device.defaultDomainType?.rawValue), TextPage.text(device.domain),
      ]
    }
    let aliased = state.devices.filter { !$0.aliases.isEmpty }
    if !aliased.isEmpty {
      try page.blank()
      try page.table(
        [.left("device"), .left("also sends as")], count: aliased.count, what: "devices"
      ) { index in
        [
          aliased[index].device.description,
          page.list(aliased[index].aliases.map(\.description)),
        ]
      }
    }
  }
}
