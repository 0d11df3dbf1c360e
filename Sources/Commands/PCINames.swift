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
  static func name(of id: String) -> String? {
    for place in places {
      if let bytes = try? WholeFile.read(place, limit: 1 << 24) { return name(of: id, in: bytes) }
    }
    return nil
  }

  /// - Parameters:
  ///   - id: vendor and device, `8086:10d3`.
  ///   - list: the text of a pci.ids.
  static func name(of id: String, in list: [UInt8]) -> String? {
    let parts = id.split(separator: ":")
    guard parts.count == 2 else { return nil }
    let (vendor, device) = (Array(parts[0].utf8), Array(("\t" + parts[1]).utf8))
    var vendorName: String?
    for line in list.split(separator: 0x0a) {
      if vendorName != nil {
        if line.starts(with: device), let name = name(behind: device.count, in: line) {
          return vendorName.map { $0 + " " + name }
        }
        // The next vendor, or the classes behind the last one.
        if line.first != 0x09, line.first != 0x23 { return vendorName }
      } else if line.starts(with: vendor) {
        vendorName = name(behind: vendor.count, in: line)
      }
    }
    return vendorName
  }

  private static func name(behind length: Int, in line: ArraySlice<UInt8>) -> String? {
    let rest = line.dropFirst(length)
    guard rest.first == 0x20 else { return nil }
    return String(decoding: rest.drop { $0 == 0x20 }, as: UTF8.self)
  }
}
