// SPDX-License-Identifier: Apache-2.0

import Foundation
import Inputs
import MemoryFixtures

extension Wrapper {
  /// `bytes` packed by the program of that name; `nil` where it is not installed.
  func packed(_ bytes: [UInt8]) throws -> [UInt8]? {
    let folder = try TestFolder()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [rawValue, "-c"]
    process.standardInput = try FileHandle(
      forReadingFrom: URL(fileURLWithPath: folder.write(bytes, to: "in")))
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? Array(data) : nil
  }
}

/// One member of a tar archive, in ustar's form.
func tarMember(_ name: String, _ bytes: [UInt8], type: UInt8 = UInt8(ascii: "0")) -> [UInt8] {
  var header = [UInt8](repeating: 0, count: 512)
  func put(_ text: String, at offset: Int) {
    header.replaceSubrange(offset..<offset + text.utf8.count, with: Array(text.utf8))
  }
  put(String(name.prefix(99)), at: 0)
  put("0000644", at: 100)
  put(String(bytes.count, radix: 8), at: 124)
  header[156] = type
  put("ustar", at: 257)
  put("00", at: 263)
  put("        ", at: 148)
  put(String(header.reduce(0) { $0 + Int($1) }, radix: 8) + "\0", at: 148)
  return header + bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
}

/// Whole members and the two blocks of zeros that end an archive.
func tar(_ members: [UInt8]...) -> [UInt8] {
  members.flatMap(\.self) + [UInt8](repeating: 0, count: 1024)
}
