// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import ELF

/// What we write, as binutils read it: a number of segments that a header does not hold is rare enough
/// for our writer and our reader to be wrong about it together.
struct OtherReadersTests {
  private static let readelf = ["/usr/bin/readelf", "/bin/readelf"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  @Test(.enabled(if: readelf != nil), arguments: [2, 0xfffd, 0xfffe, 0xffff, 0x1_0001])
  func segments(_ runs: Int) throws {
    let core = ELFCore(
      notes: [ELFNote(name: "VMCOREINFO", type: 0, bytes: Array("OSRELEASE=6.1\n".utf8))],
      runs: (0..<UInt64(runs)).map { 2 * $0..<2 * $0 + 1 })
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "iommuscope-readelf-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "core")
    try Data(core.head).write(to: file)
    let handle = try FileHandle(forWritingTo: file)
    // The pages themselves are a hole.
    try handle.truncate(atOffset: UInt64(core.head.count + runs * 4096))
    try handle.close()
    let text = try output(["--wide", "--file-header", "--segments", "--notes", file.path])
    let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
    #expect(lines.filter { $0.contains("Warning") || $0.contains("Error") }.prefix(3) == [])
    let isCore = text.contains("CORE (Core file)")
    #expect(isCore)
    let count = try #require(lines.first { $0.hasPrefix("Number of program headers:") })
    // `65535 (65538)` where section 0 has the number.
    let number = count.split { " ()".contains($0) }.last
    #expect(number.flatMap { Int($0) } == runs + 1, "\(count)")
    #expect(lines.count { $0.hasPrefix("LOAD ") } == runs)
    #expect(lines.count { $0.hasPrefix("NOTE ") } == 1)
    let last = try #require(lines.last { $0.hasPrefix("LOAD ") })
    let words = last.split(separator: " ")
    #expect(words[1] == "0x" + padded(core.head.count + (runs - 1) * 4096, 6))
    #expect(words[3] == "0x" + padded(2 * (runs - 1) << 12, 16))
    #expect(lines.contains { $0.hasPrefix("VMCOREINFO") })
  }

  private func padded(_ number: Int, _ digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  /// What the program says, errors included.
  private func output(_ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: Self.readelf ?? "")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return String(decoding: data, as: UTF8.self)
  }
}
