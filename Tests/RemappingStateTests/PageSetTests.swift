// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import Testing

struct PageSetTests {
  private func pages(_ ranges: [ClosedRange<UInt64>]) -> PageSet? {
    PageSet(writableThrough: ranges.map { run($0, .readWrite) })
  }

  private func run(_ range: ClosedRange<UInt64>, _ access: Access) -> Run {
    Run(
      iova: IOVirtualAddress(0), length: HexWord(range.upperBound - range.lowerBound + 1),
      physical: PhysicalAddress(range.lowerBound), access: access)
  }

  /// What may only be read is not in the set.
  @Test func hasWhatMayBeWritten() throws {
    let runs = (0..<3000 as Range<UInt64>).map { page in
      run(page << 12...page << 12 | 0xfff, Access.allCases[Int(page % 3)])
    }
    let set = try #require(PageSet(writableThrough: runs))
    #expect(set.bytes == 2000 << 12)
    #expect(set.intersection(AddressRanges([0...0x2fff])).ranges == [0x1000...0x2fff])
  }

  /// Many pages here and there, in no order, against the same as a list of ranges.
  @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
  func agreesWithRanges(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let spread: UInt64 = [1 << 13, 1 << 18, 1 << 16, 1 << 20, 1 << 23][Int(seed - 1)]
    let base: UInt64 = seed == 3 ? 0 : 0x7_ffe0
    // The last are far apart, and a few of them long.
    let isWide = spread > 1 << 20
    let ranges = (0..<(isWide ? 80_000 : 20_000)).map { _ -> ClosedRange<UInt64> in
      let first = base + random.next() % spread
      let length = random.chance(5) ? (isWide && random.chance(1) ? 9000 : 300) : 3 as UInt64
      return first << 12...(first + random.next() % length) << 12 | 0xfff
    }
    let pages = try #require(self.pages(ranges))
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
    func ranges(
      _ count: UInt64, every step: UInt64, size: UInt64 = 0x1000
    ) -> [ClosedRange<UInt64>] {
      (0..<count).map { number in number * step...number * step + size - 1 }
    }
    #expect(pages(ranges(100, every: 0x2000)) == nil)
    let scattered = ranges(5000, every: 1 << 30)
    #expect(pages(scattered) == nil)
    let wide = ranges(5000, every: 0x1000) + [~0xfff ... .max]
    #expect(pages(wide) == nil)
    // 5000 times the same GiB.
    #expect(pages(Array(repeating: 0...0x3fff_ffff, count: 5000)) == nil)
    let unaligned = ranges(5000, every: 0x1000, size: 0x800)
    #expect(pages(unaligned) == nil)
  }
}
