// SPDX-License-Identifier: Apache-2.0

internal import Files

/// Names of PCI devices, from the list that distributions ship.
///
/// Source: pci.ids(5): vendors begin a line, their devices stand below, one tab in.
enum PCINames {
  private static let places = [
    "/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids",
  ]

  /// `Intel Corporation 82574L Gigabit Network Connection` for `8086:10d3`; `nil` where no list is
  /// installed or the id is in none.
  static func name(of id: String) -> String? { names(of: [id])[id] }

  /// Those of several ids, by id; ids that no list knows are left out.
  static func names(of ids: [String]) -> [String: String] {
    guard !ids.isEmpty else { return [:] }
    for place in places {
      if let bytes = try? WholeFile.read(place, limit: 1 << 24) { return names(of: ids, in: bytes) }
    }
    return [:]
  }

  /// - Parameters:
  ///   - ids: vendor and device, `8086:10d3`.
  ///   - list: the text of a pci.ids.
  static func names(of ids: [String], in list: [UInt8]) -> [String: String] {
    // By vendor, then by device.
    var wanted: [[UInt8]: [[UInt8]: String]] = [:]
    for id in ids {
      let parts = id.split(separator: ":")
      guard parts.count == 2 else { continue }
      wanted[Array(parts[0].utf8), default: [:]][Array(parts[1].utf8)] = id
    }
    var names: [String: String] = [:]
    var devices: [[UInt8]: String] = [:]
    var vendor = ""
    for line in list.split(separator: 0x0a) {
      switch line.first {
      case 0x23: continue
      case 0x09:
        guard !devices.isEmpty, let (key, name) = entry(line.dropFirst()), let id = devices[key]
        else { continue }
        names[id] = vendor + " " + name
      default:
        devices = [:]
        guard let (key, name) = entry(line), let found = wanted[key] else { continue }
        (vendor, devices) = (name, found)
        // Where no line below knows the device, its vendor is something.
        for id in found.values { names[id] = name }
      }
    }
    return names
  }

  /// The number that a line begins with, and the name behind it.
  private static func entry(_ line: ArraySlice<UInt8>) -> ([UInt8], String)? {
    guard let end = line.firstIndex(of: 0x20) else { return nil }
    let name = line[end...].drop { $0 == 0x20 }
    return (Array(line[..<end]), String(decoding: name, as: UTF8.self))
  }
}
