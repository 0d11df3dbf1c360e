// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// Physical addresses that a file lists, for questions about more of them than a command line holds.
struct AddressFileOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Answer for the addresses and ranges in this file too, one after another with blanks or line "
        + "ends between them; - for standard input.",
      valueName: "file"), completion: .file())
  var addresses: [String] = []

  /// A file of a million ranges has some 30 MB.
  private static let fileLimit = 1 << 28

  /// What the files list, in their order.
  func ranges() throws -> [PhysicalRange] {
    var ranges: [PhysicalRange] = []
    for file in addresses {
      let bytes = try CommandFiles.bytes(
        file, limit: Self.fileLimit)
      var line = 1
      var start = 0
      for (index, byte) in bytes.enumerated() where byte <= 0x20 {
        if start < index { ranges.append(try Self.range(bytes[start..<index], file, line)) }
        start = index + 1
        if byte == 0x0a { line += 1 }
      }
      if start < bytes.count { ranges.append(try Self.range(bytes[start...], file, line)) }
    }
    return ranges
  }

  private static func range(
    _ bytes: ArraySlice<UInt8>, _ file: String, _ line: Int
  ) throws -> PhysicalRange {
    let text = String(decoding: bytes, as: UTF8.self)
    do {
      return try PhysicalRange(text)
    } catch {
      throw CommandFailure("\(file), line \(line): \((error as? ValidationError)?.message ?? text)")
    }
  }
}
