// SPDX-License-Identifier: Apache-2.0

import MemoryFixtures
import Testing

@testable import RemappingState

struct PageSetTests {
  /// Many pages here and there, in no order, against the same as a list of ranges.
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func agreesWithRanges(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let spread: UInt64 = [1 << 13, 1 << 18, 1 << 16, 1 << 20][Int(seed - 1)]
    let base: UInt64 = seed == 3 ? 0 : 0x7_ffe0
    let ranges = (0..<20_000).map { _ -> ClosedRange<UInt64> in
      let first = base + random.next() % spread
      return first << 12...(first + random.next() % (random.chance(5) ? 300 : 3)) << 12 | 0xfff
    }
    let pages = try #require(PageSet(ranges))
    let set = AddressRanges(ranges)
    #expect(pages.bytes == set.bytes)
    let others = (0..<50).map { _ -> ClosedRange<UInt64> in
      // Ends need not be those of pages.
      let low = random.next() % ((base + spread) << 12)
      return low...low + random.next() % (spread << 7)
    }
    for other in [AddressRanges(others), AddressRanges([0 ... .max]), AddressRanges()] {
      #expect(pages.intersection(other) == set.intersection(other))
      #expect(pages.bytes(in: other) == set.intersection(other).bytes)
    }
  }

  /// Where bits would be larger than ranges, or cannot tell them, there is no such set.
  @Test func refusesWhatBitsDoNotSuit() {
    let few = (0..<100).map { UInt64($0) << 13...UInt64($0) << 13 | 0xfff }
    #expect(PageSet(few) == nil)
    let scattered = (0..<5000).map { UInt64($0) << 30...UInt64($0) << 30 | 0xfff }
    #expect(PageSet(scattered) == nil)
    let wide = (0..<5000).map { UInt64($0) << 12...UInt64($0) << 12 | 0xfff } + [~0xfff ... .max]
    #expect(PageSet(wide) == nil)
    let unaligned = (0..<5000).map { UInt64($0) << 12...UInt64($0) << 12 | 0x7ff }
    #expect(PageSet(unaligned) == nil)
  }
}
