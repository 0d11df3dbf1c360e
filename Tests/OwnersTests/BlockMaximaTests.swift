// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Owners

struct BlockMaximaTests {
  /// Against a look at every number, for sizes around the edges of blocks and of blocks of blocks.
  @Test(arguments: [0, 1, 15, 16, 17, 255, 256, 257, 4096, 4097, 5000])
  func findsEveryNumberThatReachesTheBound(_ count: Int) {
    // One long mapping before many short ones, then numbers that go up and down.
    let numbers = (0..<UInt64(count)).map { $0 == 3 ? 1 << 40 : $0 &* 2_654_435_761 % 1000 }
    let maxima = BlockMaxima(numbers)
    for limit in [0, 1, 4, 16, 100, 256, 300, count / 2, max(0, count - 1), count] {
      for bound in [0, 1, 500, 998, 999, 1000, 1 << 40, .max] as [UInt64] {
        var found: [Int] = []
        maxima.forEach(below: limit, atLeast: bound) { found.append($0) }
        let expected = numbers.indices.reversed().filter { $0 < limit && numbers[$0] >= bound }
        #expect(found == expected, "\(count) numbers, below \(limit), at least \(bound)")
      }
    }
  }
}
