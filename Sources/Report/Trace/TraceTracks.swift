// SPDX-License-Identifier: Apache-2.0

internal import History
internal import Memory

/// Which track of a picture over time each event belongs on, and how long what was mapped stayed so.
struct TraceTracks {
  /// A group of tracks: what is about the same devices.
  struct Group {
    /// Empty for events that nothing attributes to a device.
    var devices: [DeviceName]
    var name: String
    /// Kinds of events, ascending; a track each.
    var kinds: [String] = []
  }

  /// By device, what belongs to none last.
  private(set) var groups: [Group] = []
  /// For each event its group and, in it, its kind.
  private(set) var places: [(group: Int, kind: Int)] = []
  /// For each unmap, the places of the maps that it ended, ascending by address.
  private(set) var ended: [Int: [Int]] = [:]
  /// Maps that are drawn as a stretch of time.
  private(set) var drawn: Set<Int> = []

  /// - Parameter events: by time.
  init(_ events: [TraceEvent], _ names: EventNames?) {
    var kinds: [[DeviceName]: Set<String>] = [:]
    for event in events { kinds[event.devices, default: []].insert(event.name) }
    let order = kinds.keys.sorted { one, other in
      guard !one.isEmpty, !other.isEmpty else { return other.isEmpty && !one.isEmpty }
      return one.lexicographicallyPrecedes(other)
    }
    var found: [[DeviceName]: Int] = [:]
    for devices in order {
      found[devices] = groups.count
      groups.append(
        Group(
          devices: devices, name: Self.name(of: devices, names),
          kinds: (kinds[devices] ?? []).sorted()))
    }
    var numbers = groups.map { group in
      Dictionary(uniqueKeysWithValues: group.kinds.enumerated().map { ($1, $0) })
    }
    places = events.map { event in
      let group = found[event.devices] ?? 0
      return (group, numbers[group][event.name] ?? 0)
    }
    numbers = []
    pair(events)
  }

  private static func name(of devices: [DeviceName], _ names: EventNames?) -> String {
    guard !devices.isEmpty else { return "no device is named" }
    let shown = devices.prefix(4).map { names?.withDriver($0) ?? $0.description }
    let rest = devices.count > 4 ? " and \(devices.count - 4) more" : ""
    return shown.joined(separator: ", ") + rest
  }

  /// Finds what each unmap ended: maps of its own addresses, one behind the other, where no second one
  /// of the same address is open. Two domains may map the same address, and no event names its domain,
  /// so that such pairs are left out rather than guessed.
  private mutating func pair(_ events: [TraceEvent]) {
    var open: [UInt64: [Int]] = [:]
    for (index, event) in events.enumerated() {
      guard let iova = event.iova, let length = event.length, length > 0 else { continue }
      if event.name == "map" {
        open[iova, default: []].append(index)
        continue
      }
      guard event.name == "unmap" else { continue }
      var next = iova
      var rest = length
      while rest > 0, let maps = open.removeValue(forKey: next) {
        guard maps.count == 1, let first = maps.first, let size = events[first].length,
          size <= rest
        else { break }
        ended[index, default: []].append(first)
        drawn.insert(first)
        rest -= size
        let (end, overflow) = next.addingReportingOverflow(size)
        guard !overflow else { break }
        next = end
      }
    }
    // Still mapped: the tables say so, which is how such an event has got its devices.
    for maps in open.values where maps.count == 1 {
      if let first = maps.first, !events[first].devices.isEmpty { drawn.insert(first) }
    }
  }
}
