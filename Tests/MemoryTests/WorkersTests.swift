// SPDX-License-Identifier: Apache-2.0

import Memory
import Synchronization
import Testing

struct WorkersTests {
  @Test(arguments: [0, 1, 2, 1000], [1, 2, 7])
  func resultsAreInOrder(_ count: Int, _ threads: Int) {
    let calls = Mutex<[Int: Int]>([:])
    let results = Workers.map(count, threads: threads) { number in
      calls.withLock { $0[number, default: 0] += 1 }
      return number * number
    }
    #expect(results == (0..<count).map { $0 * $0 })
    #expect(calls.withLock { $0 } == Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, 1) }))
  }

  @Test(arguments: [-1, 0, 1, 1 << 16, 1 << 16 + 7, 1_000_003])
  func rangesMakeUpAllNumbers(_ count: Int) {
    let ranges = Workers.ranges(of: count)
    let numbers: [Int] = ranges.flatMap(\.self)
    #expect(numbers == Array(0..<max(0, count)))
    #expect(Workers.mapRanges(count) { $0.reduce(0, +) } == ranges.map { $0.reduce(0, +) })
  }
}
