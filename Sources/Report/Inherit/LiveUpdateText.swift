// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory

/// The account of a live update, below the policy of that name.
struct LiveUpdateText {
  let page: TextPage

  func write(_ update: LiveUpdateForecast) throws(OutputError) {
    try page.blank()
    try page.paragraph(
      "Preserved: " + choice(update)
        + (update.isKnown
          ? "" : "; this kernel's types know no live update of remapping units: a rehearsal only"),
      indent: 2, hanging: 2, style: .bold)
    for unit in update.units.prefix(page.shown(update.units.count)) { try write(unit) }
    let devices = update.devices.filter { $0.outcome != .dropped }
    if devices.isEmpty {
      try page.paragraph("no device is preserved", indent: 4)
    }
    for device in devices.prefix(page.shown(devices.count)) { try write(device) }
    try page.cut(devices.count, "devices", indent: 4)
    let dropped = update.devices.filter { $0.outcome == .dropped && $0.bytesReachable > 0 }
    for device in dropped.prefix(page.shown(dropped.count)) {
      try page.field(
        "dropped",
        "\(device.device): requests to \(Quantity.bytes(device.bytesReachable)) fault",
        indent: 4)
    }
    try page.cut(dropped.count, "dropped devices", indent: 4)
  }

  private func choice(_ update: LiveUpdateForecast) -> String {
    switch update.chosenBy {
    case .byOption: "as named"
    case .byOwner: "what VFIO and iommufd have"
    case .byHandover:
      "what the kernel has prepared"
        + (update.handover.map { " (struct iommu_flb_ser at \($0))" } ?? "")
    }
  }

  private func write(_ unit: LiveUpdateForecast.Unit) throws(OutputError) {
    guard unit.isPreserved else {
      try page.field(unit.unit, "switched off", indent: 4)
      return
    }
    func list(_ devices: [PCIFunction]) -> String { page.list(devices.map(\.description)) }
    try page.field(
      unit.unit,
      "root and \(Quantity.count(unit.contextTables, "context table")) stay in force; domain-ids "
        + "taken: " + page.list(Quantity.ranges(unit.domainIDs)), indent: 4)
    if !unit.cleared.isEmpty { try page.field("zeroed", list(unit.cleared), indent: 4) }
    if !unit.clearedRoots.isEmpty {
      try page.field(
        "roots zeroed",
        page.list(
          unit.clearedRoots.map { "bus \(String($0.bus, radix: 16)) \($0.half ?? "")" }), indent: 4)
    }
    if !unit.withoutPageRequests.isEmpty {
      try page.field("PRE cleared", list(unit.withoutPageRequests), indent: 4)
    }
    if !unit.unclaimed.isEmpty {
      try page.field(
        "left as is", list(unit.unclaimed) + ": no device of the kernel stands for them", indent: 4)
    }
  }

  private func write(_ device: LiveUpdateForecast.Device) throws(OutputError) {
    var text = "\(device.device)"
    if let id = device.domainID { text += ", domain-id \(id)" }
    if let table = device.pasidTable {
      text += ", PASID table \(table)"
      if let bound = device.pasidBound { text += " for \(bound)" }
    }
    for reason in device.reasons { text += "; \(reason)" }
    for alias in device.aliases {
      text += "; alias \(alias.device): \(alias.outcome.rawValue)"
      if !alias.sharedWith.isEmpty {
        text += ", also of " + page.list(alias.sharedWith.map(\.description))
      }
    }
    if !device.lostPASIDs.isEmpty {
      text += "; PASIDs lost: " + page.list(Quantity.ranges(device.lostPASIDs))
    }
    try page.field(device.outcome.rawValue, text, indent: 4)
  }
}
