// SPDX-License-Identifier: Apache-2.0

import MemoryFixtures
import RemappingState
import TableFixtures
import Testing

/// Ranges behave as the sets of numbers that they stand for.
struct AddressRangesTests {
  private func set(_ ranges: AddressRanges) -> Set<UInt64> {
    Set(ranges.ranges.flatMap { Array($0) })
  }

  @Test func agreesWithSetsOfNumbers() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("address ranges: seed \(seed)")
    var random = SeededGenerator(seed: seed)
    func ranges() -> AddressRanges {
      AddressRanges(
        (0..<random.next() % 8).map { _ in
          let start = random.next() % 60
          return start...(start + random.next() % 8)
        })
    }
    for _ in 0..<500 {
      let a = ranges()
      let b = ranges()
      #expect(set(a.intersection(b)) == set(a).intersection(set(b)))
      #expect(set(a.subtracting(b)) == set(a).subtracting(set(b)))
      #expect(set(a.union(b)) == set(a).union(set(b)))
      #expect(a.bytes == UInt64(set(a).count))
      // One range against a set.
      let start = random.next() % 70
      let range = start...(start + random.next() % 12)
      let inside = set(a).intersection(range)
      #expect(Set(a.parts(of: range).flatMap { Array($0) }) == inside)
      #expect(Set(a.gaps(in: range).flatMap { Array($0) }) == Set(range).subtracting(inside))
      #expect(a.overlaps(range) == !inside.isEmpty)
      #expect(a.covers(range) == (inside.count == range.count))
      #expect(a.overlap(range) == a.parts(of: range).first)
      #expect(a.contains(start) == set(a).contains(start))
      #expect(a.longest(in: range)?.count == a.parts(of: range).map(\.count).max())
      // Sorted, disjoint and not adjacent.
      for (low, high) in zip(a.ranges, a.ranges.dropFirst()) {
        #expect(low.upperBound + 1 < high.lowerBound)
      }
    }
  }

  @Test func reachesBothEndsOfTheSpace() {
    let all = AddressRanges([0...UInt64.max])
    #expect(all.bytes == .max)
    let holes = all.subtracting(AddressRanges([5...6]))
    #expect(holes.ranges == [0...4, 7...UInt64.max])
    #expect(all.subtracting(all).isEmpty)
    #expect(holes.longest(in: 0...10) == 0...4)
    #expect(AddressRanges([0...0, 4096...8191]).pages == 2)
  }

  @Test func joinsWhatTouches() {
    let set = AddressRanges([0x3000...0x3fff, 0x1000...0x1fff, 0x2000...0x2fff, 0x8000...0x8fff])
    #expect(set.ranges == [0x1000...0x3fff, 0x8000...0x8fff])
  }

  @Test func findsGaps() {
    let set = AddressRanges([0x1000...0x1fff, 0x3000...0x3fff])
    #expect(set.gaps(in: 0...0x4fff) == [0...0xfff, 0x2000...0x2fff, 0x4000...0x4fff])
    #expect(set.gaps(in: 0x1000...0x1fff).isEmpty)
    #expect(set.gaps(in: 0x1800...0x3800) == [0x2000...0x2fff])
    #expect(AddressRanges([]).gaps(in: 0 ... .max) == [0 ... .max])
    #expect(AddressRanges([0 ... .max]).gaps(in: 5...6).isEmpty)
  }
}
