// SPDX-License-Identifier: Apache-2.0

import Files
import Foundation
import MemoryFixtures
import Testing

/// Bytes that come one after the other.
struct ByteInputTests {
  @Test func `what was looked at in advance is not lost`() throws {
    let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    try withTestFile(bytes) { path in
      let input = try ByteInput(path)
      #expect(input.kind == .regular)
      #expect(try input.peek(3) == [0, 0, 0])
      // More than one read takes, and again.
      #expect(try input.peek(100_000) == Array(bytes.prefix(100_000)))
      #expect(input.position == 0)
      var taken: [UInt8] = []
      while case let next = try input.next(), !next.isEmpty {
        taken += next
        #expect(input.position == taken.count)
      }
      #expect(taken == bytes)
      #expect(try input.peek(1).isEmpty)
      #expect(try input.next().isEmpty)
    }
  }

  @Test func `fewer bytes come only at the end`() throws {
    try withTestFile([1, 2, 3]) { path in
      let input = try ByteInput(path)
      #expect(try input.peek(8) == [1, 2, 3])
      #expect(try input.next() == [1, 2, 3])
    }
  }

  @Test func `a folder cannot be read, and says where`() throws {
    let input = try ByteInput(FileManager.default.temporaryDirectory.path)
    let error = #expect(throws: FileError.self) { try input.next() }
    guard case .system(.read(0), _) = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `memory of devices is one word, or an error that names its file`() {
    do throws(FileError) {
      // Firmware, which reading does not disturb.
      let words = try DeviceMemory.words(at: 0xf_0008, count: 1)
      #expect(words.keys.sorted() == [0])
    } catch {
      #expect(error.path == "/dev/mem")
    }
  }
}
