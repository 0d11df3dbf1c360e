// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// Units, buses, devices and their domains as boxes inside each other.
struct TopologyPicture {
  private struct Box {
    var name: DeviceName
    var driver: String?
    /// Rows of the domains that its requests reach.
    var domains: [Int]
    var worst: Finding.Severity?
  }

  private struct Bus {
    var title: String
    var boxes: [Box]
  }

  private let state: RemappingState
  private let targets: PageTargets
  private let rows: Int
  private var units: [(name: String, buses: [Bus])] = []
  /// Devices that are not drawn.
  private(set) var left = 0

  private static let columns = 6
  private static let boxWidth = 152.0
  private static let boxHeight = 58.0
  /// Devices that are drawn at most; more of them nobody looks through.
  private static let limit = 384

  static let legend: [(look: String, words: String)] = [
    ("live", "its domain, writable by tables"), ("flight", "framed: transfers in flight"),
    ("cached", "pass-through: memory is not protected"), ("unmapped", "no context: blocked"),
    ("err", "error found"), ("wrn", "warning found"),
  ]

  /// - Parameter rows: how many domains have a row to lead to.
  init(_ state: RemappingState, findings: [Finding], targets: PageTargets, rows: Int) {
    self.rows = rows
    self.state = state
    self.targets = targets
    var worst: [DeviceName: Finding.Severity] = [:]
    // Findings come with the worst first.
    for finding in findings {
      if let device = finding.device, worst[device] == nil { worst[device] = finding.severity }
    }
    var domains: [DeviceName: [Int]] = [:]
    for (index, domain) in state.domains.enumerated() {
      for device in domain.devices { domains[device, default: []].append(index) }
    }
    var byUnit: [String: [Box]] = [:]
    var drawn: Set<DeviceName> = []
    func add(_ name: DeviceName, _ driver: String?, _ unit: String?) {
      guard drawn.count < Self.limit else {
        left += 1
        return
      }
      guard drawn.insert(name).inserted else { return }
      byUnit[unit ?? "", default: []].append(
        Box(name: name, driver: driver, domains: domains[name] ?? [], worst: worst[name]))
    }
    for device in state.devices { add(device.device, device.driver, device.unit) }
    for context in state.contexts where context.servesRequestsWithoutPASID {
      add(.pci(context.device), nil, context.unit)
    }
    for unit in state.units.map(\.name) + [""] {
      guard let boxes = byUnit[unit] ?? (unit.isEmpty ? nil : []) else { continue }
      var buses: [Bus] = []
      for box in boxes.sorted(by: { $0.name < $1.name }) {
        let title = Self.bus(of: box.name)
        if buses.last?.title == title {
          buses[buses.count - 1].boxes.append(box)
        } else {
          buses.append(Bus(title: title, boxes: [box]))
        }
      }
      units.append((unit, buses))
    }
  }

  var isEmpty: Bool { units.isEmpty }

  private static func bus(of name: DeviceName) -> String {
    guard let function = name.function else { return "not PCI" }
    let digits = String(function.bus, radix: 16)
    let bus = digits.utf8.count == 1 ? "0\(digits)" : digits
    return function.segment == 0 ? "bus \(bus)" : "segment \(function.segment), bus \(bus)"
  }

  private static func height(_ bus: Bus) -> Double {
    let rows = (bus.boxes.count + columns - 1) / columns
    return 24 + Double(rows) * (boxHeight + 8)
  }

  func draw(to writer: HTMLWriter) {
    let height = units.reduce(0.0) { sum, unit in
      sum + 44 + max(20, unit.buses.reduce(0) { $0 + Self.height($1) + 6 }) + 10
    }
    let devices = units.reduce(0) { $0 + $1.buses.reduce(0) { $0 + $1.boxes.count } }
    Picture.draw(
      "Topology",
      "\(Quantity.count(state.units.count, "unit")), \(Quantity.count(devices, "device")); each box"
        + " names a device, its driver and its domain.", height: Int(height), to: writer
    ) { picture in
      var y = 0.0
      for unit in units { y = draw(unit.name, unit.buses, y, picture) }
    }
  }

  private func draw(_ name: String, _ buses: [Bus], _ top: Double, _ picture: Picture) -> Double {
    let inner = max(20, buses.reduce(0) { $0 + Self.height($1) + 6 })
    let unit = state.units.first { $0.name == name }
    picture.rectangle(1, top + 1, 998, 36 + inner, "box2", radius: 6)
    picture.link(targets.unit(name), name) {
      picture.text(
        name.isEmpty ? "behind no unit" : Picture.fitting(name, 24), 12, top + 22, "b")
    }
    if let unit {
      let words = [
        unit.tableWords,
        "translation \(Self.word(unit.translationEnabled))",
        "interrupt remapping \(Self.word(unit.interruptRemappingEnabled))",
      ].joined(separator: ", ")
      picture.text(words, 988, top + 22, "s dimt", anchor: "end")
    }
    var y = top + 34
    for bus in buses {
      let height = Self.height(bus)
      picture.rectangle(8, y, 984, height, "box", radius: 5)
      picture.text(bus.title, 18, y + 15, "s dimt")
      for (index, box) in bus.boxes.enumerated() {
        let x = 16 + Double(index % Self.columns) * (Self.boxWidth + 9)
        draw(box, x, y + 22 + Double(index / Self.columns) * (Self.boxHeight + 8), picture)
      }
      y += height + 6
    }
    if buses.isEmpty { picture.text("no device", 18, y + 12, "s dimt") }
    return top + 44 + inner + 2
  }

  private func draw(_ box: Box, _ x: Double, _ y: Double, _ picture: Picture) {
    let name = box.name.description
    picture.rectangle(x, y, Self.boxWidth, Self.boxHeight, "box2", radius: 4)
    let called = targets.name(name, of: "device").map { "\(name), \($0)" } ?? name
    picture.link(targets.device(name), called) {
      // The segment is the bus's.
      let short =
        box.name.function == nil || !name.hasPrefix("0000:") ? name : String(name.dropFirst(5))
      picture.text(Picture.fitting(short, 18), x + 8, y + 16, "b")
    }
    picture.text(Picture.fitting(box.driver ?? "no driver", 20), x + 8, y + 30, "s dimt")
    if let worst = box.worst, worst != .info {
      picture.mark(
        x + Self.boxWidth - 12, y + 15, worst == .error ? "err" : "wrn",
        title: worst == .error ? "an error was found" : "a warning was found")
    }
    guard let first = box.domains.first else {
      picture.rectangle(x + 8, y + 37, 12, 13, "unmapped")
      picture.text("no context", x + 26, y + 48, "s")
      return
    }
    let domain = state.domains[first]
    let passes = domain.type == .identity && domain.mapping == nil
    picture.rectangle(x + 8, y + 37, 12, 13, passes ? "cached" : "live")
    if domain.inFlight {
      picture.rectangle(x + 7, y + 36, 14, 15, "flight")
    }
    var words = domain.domainID.map { "domain \($0)" } ?? "domain"
    words += ", \(domain.type.rawValue)"
    if box.domains.count > 1 { words += " +\(box.domains.count - 1)" }
    picture.link(first < rows ? "domains-\(first)" : nil, "domain of \(name)") {
      picture.text(Picture.fitting(words, 21), x + 26, y + 48, "s")
    }
  }

  private static func word(_ flag: Bool?) -> String {
    switch flag {
    case true?: "on"
    case false?: "off"
    case nil: "unknown"
    }
  }
}
