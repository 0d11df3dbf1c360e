// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Memory
import Testing

@testable import DumpFile

/// What libdeflate gives is what zlib gives, and what it refuses is zlib's to judge.
struct DeflateTests {
  /// Text, words that repeat, noise that hardly shrinks.
  private static let pages: [[UInt8]] = [
    Array(repeating: 0, count: 4096),
    Array(String(repeating: "DMAR: DRHD: handling fault status ", count: 121).utf8.prefix(4096)),
    (0..<4096).map { UInt8(truncatingIfNeeded: $0 / 8 * 37) },
    (0..<4096).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) },
  ]

  private func inflate(_ input: [UInt8]) -> Result<Page, Codec.Failure> {
    // Elements are bytes, so no byte between them is padding.
    Result { () throws(Codec.Failure) in
      try Codec.zlib.decompress(unsafe input.span.bytes)
    }
  }

  private func bytes(of page: Page) throws -> [UInt8] {
    try page.withBytes { (bytes) throws(BoundsError) in try bytes.copy(at: 0, count: Page.size) }
  }

  @Test(arguments: pages) func wholeStreams(_ page: [UInt8]) throws {
    let stream = try #require(Compressor.zlib.compress(page))
    let found = try bytes(of: try inflate(stream).get())
    #expect(found == page)
  }

  /// Every cut and every changed byte ends in a failure with zlib's own words, or in the same page.
  @Test(arguments: pages) func damagedStreams(_ page: [UInt8]) throws {
    let stream = try #require(Compressor.zlib.compress(page))
    for length in stride(from: 0, to: stream.count, by: 7) {
      guard case .failure(.corrupt(let words)) = inflate(Array(stream[..<length])) else {
        Issue.record("\(length) of \(stream.count) bytes are taken for a page")
        continue
      }
      #expect(words.hasPrefix("zlib stream"))
    }
    for place in stride(from: 0, to: stream.count, by: 5) {
      var damaged = stream
      damaged[place] ^= 0x10
      guard case .success(let result) = inflate(damaged) else { continue }
      let found = try bytes(of: result)
      #expect(found == page)
    }
  }

  /// A stream of more or of fewer bytes than a page is no page.
  @Test(arguments: [0, 1, 4095, 4097, 8192]) func otherSizes(_ count: Int) throws {
    let stream = try #require(Compressor.zlib.compress([UInt8](repeating: 7, count: count)))
    guard case .failure = inflate(stream) else {
      Issue.record("\(count) bytes are taken for a page")
      return
    }
  }
}
