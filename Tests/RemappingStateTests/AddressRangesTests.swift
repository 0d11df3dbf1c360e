// SPDX-License-Identifier: Apache-2.0

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
    var random = SeededRandom(seed)
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
}
