// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// A System.map: one `address type name` per line, link-time addresses.
public enum SystemMap {
  /// The wanted symbols of the file's text.
  ///
  /// - Returns: link-time addresses; `nil` if no line has the form of a System.map.
  public static func symbols(in text: [UInt8], wanted: Set<String>) -> SymbolTable? {
    var found: [String: [KernelAddress]] = [:]
    var sawLine = false
    for line in text.split(separator: UInt8(ascii: "\n")) {
      // `ffffffff81000000 T _stext`: 16 digits, a blank, one letter, a blank, the name.
      guard line.count > 19, line[line.startIndex + 16] == UInt8(ascii: " "),
        line[line.startIndex + 18] == UInt8(ascii: " "),
        let address = UInt64(
          String(decoding: line[line.startIndex..<line.startIndex + 16], as: UTF8.self), radix: 16)
      else { continue }
      sawLine = true
      let name = String(decoding: line[(line.startIndex + 19)...], as: UTF8.self)
      if wanted.contains(name) { found[name, default: []].append(KernelAddress(address)) }
    }
    return sawLine ? SymbolTable(found, origin: .systemMap) : nil
  }
}
