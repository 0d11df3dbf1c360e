// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import MemoryFixtures
import Testing

@testable import Files

/// A file that loses bytes while it is mapped ends no process.
struct GuardTests {
  private func withFile<R>(_ count: Int, _ body: (String) throws -> R) throws -> R {
    try withTestFile(repeatElement(7, count: count), body)
  }

  @Test func `bytes that are gone are not readable, again and again`() throws {
    try withFile(64 << 10) { path in
      let mapping = try FileMapping(path)
      #expect(mapping.isReadable(at: 0, length: 64 << 10))
      #expect(unsafe truncate(path, 10_000) == 0)
      for _ in 0..<3 {
        #expect(mapping.isReadable(at: 0, length: 8192))
        #expect(!mapping.isReadable(at: 0, length: 64 << 10))
        #expect(!mapping.isReadable(at: 12_288, length: 1))
        #expect(mapping.isReadable(at: 12_288, length: 0))
      }
      // It may come back.
      #expect(unsafe truncate(path, 64 << 10) == 0)
      #expect(mapping.isReadable(at: 0, length: 64 << 10))
      #expect(FileMapping.lost == nil)
      #expect(FileMapping.unreadableFiles.contains(path))
      #expect(FileMapping.shortenedFiles.contains(path))
    }
  }

  /// Whatever part is given back, to the byte; what the file has lost stays lost.
  @Test func `pages that were given back are mapped again`() throws {
    try withFile(64 << 10) { path in
      let mapping = try FileMapping(path)
      for (offset, length) in [(0, 64 << 10), (1, 4095), (100, 20_000), (4096, 4096), (65_536, 0)] {
        mapping.relax(at: offset, length: length)
        #expect(mapping.isReadable(at: 0, length: 64 << 10))
        #expect(mapping.withBytes(at: 0, length: 64 << 10) { $0.byteCount } == 64 << 10)
        #expect(mapping.page(at: 8192)[word: 511] == 0x0707_0707_0707_0707)
      }
      #expect(unsafe truncate(path, 10_000) == 0)
      mapping.relax(at: 0, length: 64 << 10)
      #expect(mapping.isReadable(at: 0, length: 8192))
      #expect(!mapping.isReadable(at: 12_288, length: 1))
    }
    let copy = try FileMapping([1, 2, 3], name: "copy")
    copy.relax(at: 0, length: 3)
    #expect(copy.withBytes(at: 0, length: 3) { try? $0.copy(at: 0, count: 3) } == [1, 2, 3])
  }

  @Test func `holes take no room`() throws {
    try withFile(64 << 10) { path in
      #expect(try FileMapping(path).allocatedBytes > 0)
      #expect(unsafe truncate(path, 1 << 32) == 0)
      let mapping = try FileMapping(path)
      #expect(mapping.byteCount == 1 << 32)
      #expect(mapping.allocatedBytes < 1 << 24)
    }
  }

  @Test func `many threads probe at once`() async throws {
    let mapping = try withFile(1 << 20) { path in
      let mapping = try FileMapping(path)
      #expect(unsafe truncate(path, 1 << 19) == 0)
      return mapping
    }
    let isRight = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          (0..<256).allSatisfy {
            mapping.isReadable(at: $0 << 12, length: 4096) == ($0 < 128)
          }
        }
      }
      return await group.allSatisfy { $0 }
    }
    #expect(isRight)
  }
}
