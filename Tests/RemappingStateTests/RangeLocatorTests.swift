// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import RemappingState

struct RangeLocatorTests {
  /// Every range of a small space, in an order that jumps about, against the set itself.
  @Test(
    arguments: [
      [], [0...0], [3...5], [0...2, 9...15], [2...3, 5...5, 8...12], [0...15],
    ] as [[ClosedRange<UInt64>]])
  func agreesWithTheSet(_ ranges: [ClosedRange<UInt64>]) {
    let set = AddressRanges(ranges)
    var locator = RangeLocator(set)
    for step in 0..<4096 as Range<UInt64> {
      let low = step &* 7 % 16
      let range = low...max(low, step &* 11 % 16)
      let place: RangeLocator.Place =
        set.covers(range) ? .inside : set.overlaps(range) ? .across : .outside
      #expect(locator.place(of: range) == place, "\(range) in \(ranges)")
    }
  }

  @Test func endsOfTheSpace() {
    var whole = RangeLocator(AddressRanges([0 ... .max]))
    #expect(whole.place(of: 0 ... .max) == .inside)
    #expect(whole.place(of: .max ... .max) == .inside)
    var top = RangeLocator(AddressRanges([(.max - 1) ... .max]))
    #expect(top.place(of: 0...5) == .outside)
    #expect(top.place(of: .max ... .max) == .inside)
    #expect(top.place(of: 7 ... .max) == .across)
    #expect(top.place(of: 7...7) == .outside)
  }

  /// Many ranges in no order, spread over all addresses and crowded in a few, against a sort.
  @Test(arguments: [0, 12, 40, 52] as [UInt64])
  func manyRangesInNoOrder(_ shift: UInt64) {
    var seed: UInt64 = 7
    let ranges = (0..<6000).map { _ -> ClosedRange<UInt64> in
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let low = seed >> shift
      return low...(low.addingReportingOverflow(seed >> 58).overflow ? .max : low + seed >> 58)
    }
    var expected = AddressRanges()
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      expected = expected.union(AddressRanges([range]))
      if expected.ranges.count > 8 { break }
    }
    let all = AddressRanges(ranges)
    #expect(Array(all.ranges.prefix(4)) == Array(expected.ranges.prefix(4)))
    #expect(ranges.allSatisfy { all.covers($0) })
    #expect(all.bytes <= ranges.reduce(0) { $0 &+ ($1.upperBound - $1.lowerBound) &+ 1 })
    #expect(
      zip(all.ranges, all.ranges.dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound })
  }

  /// Ranges that come in any order give the same set as all at once.
  @Test func builderTakesAnyOrder() {
    let ranges: [ClosedRange<UInt64>] = [5...6, 7...9, 0...1, 20...30, 25...26, 3...3, 2...2]
    var builder = AddressRanges.Builder()
    for range in ranges { builder.add(range) }
    let all = builder.ranges
    #expect(all.ranges == [0...3, 5...9, 20...30])
    #expect(AddressRanges(ranges) == all)
  }
}
