// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// One block per domain, those in flight first, each with its runs.
struct DomainsText {
  private let state: RemappingState
  private let drivers: [DeviceName: String]

  init(_ state: RemappingState) {
    self.state = state
    drivers = Dictionary(
      state.devices.compactMap { device in device.driver.map { (device.device, $0) } },
      uniquingKeysWith: { first, _ in first })
  }

  func write(to page: TextPage) throws(OutputError) {
    if state.domains.isEmpty { try page.paragraph("none found", indent: 2) }
    let domains = state.domains.filter(\.inFlight) + state.domains.filter { !$0.inFlight }
    for (index, domain) in domains.prefix(page.shown(domains.count)).enumerated() {
      if index > 0 { try page.blank() }
      try write(domain, to: page)
    }
    try page.cut(domains.count, "domains", indent: 2)
  }

  private func write(_ domain: Domain, to page: TextPage) throws(OutputError) {
    try page.paragraph(
      "\(domain.label): \(kind(domain)), \(domain.inFlight ? "in flight" : "not in flight")",
      indent: 2, hanging: 2, style: .bold)
    func field(_ label: String, _ value: String) throws(OutputError) {
      try page.field(label, value, indent: 4)
    }
    if let table = domain.table {
      var parts = ["\(table)"]
      if let stage = domain.stage { parts.append("\(stage.rawValue) stage") }
      if let levels = domain.levels { parts.append("\(levels) levels") }
      try field("table", parts.joined(separator: ", "))
    }
    if let object = domain.kernelObject { try field("kernel object", "\(object)") }
    try field("devices", page.list(domain.devices.map(name)))
    if let walk = domain.walk { try field("walk", account(walk)) }
    if let space = domain.iova { try field("allocator", AllocatorText.account(space)) }
    guard let mapping = domain.mapping else {
      try field("mapped", "not by tables")
      return
    }
    guard !mapping.runs.isEmpty else {
      try field("mapped", "nothing")
      return
    }
    try field(
      "mapped",
      "\(Quantity.bytes(mapping.bytes)) by \(Quantity.count(mapping.leaves, "leaf", "leaves")) in"
        + " \(Quantity.count(mapping.runs.count, "run"))")
    try page.blank()
    try page.table(
      [.right("iova"), .right("physical"), .right("bytes"), .right("size"), .left("access")],
      count: mapping.runs.count, what: "runs", indent: 6
    ) { index in
      let run = mapping.runs[index]
      return [
        run.iova.description, run.physical.description, "\(run.length.rawValue)",
        Quantity.iec(run.length.rawValue) ?? "", run.access.rawValue,
      ]
    }
  }

  /// `0000:00:02.0 i915`.
  private func name(_ device: DeviceName) -> String {
    drivers[device].map { "\(device) \($0)" } ?? "\(device)"
  }

  private func kind(_ domain: Domain) -> String {
    domain.type == .unknown && domain.kernelObject == nil
      ? "unknown to the kernel" : domain.type.rawValue
  }

  private func account(_ walk: WalkSummary) -> String {
    var parts = ["\(Quantity.count(walk.tables, "table")) read"]
    if walk.unreadable > 0 {
      parts.append("\(walk.unreadable) unreadable, so part of the address space is unknown")
    }
    if walk.assumedEmpty > 0 { parts.append("\(walk.assumedEmpty) taken for empty") }
    if walk.cycles > 0 { parts.append(Quantity.count(walk.cycles, "cycle")) }
    if walk.aliases > 0 { parts.append("\(walk.aliases) reached twice") }
    if walk.reservedBits > 0 {
      parts.append(
        "\(Quantity.count(walk.reservedBits, "entry", "entries")) with reserved bits")
    }
    if walk.bytesOutsideMemory > 0 {
      parts.append("\(Quantity.bytes(walk.bytesOutsideMemory)) mapped to what is not memory")
    }
    if walk.budgetExhausted { parts.append("cut, the page budget was spent") }
    return parts.joined(separator: ", ")
  }
}
