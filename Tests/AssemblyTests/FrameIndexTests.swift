// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Assembly

struct FrameIndexTests {
  /// Against a search without the table: dense, sparse, far apart, at both ends of all frames.
  @Test(
    arguments: [
      [], [0], [.max], [0, .max], [5, 6, 7, 9], Array(100...400), [1, 1 << 20, 1 << 40, .max - 1],
      (0..<300).map { $0 * 77_777_777 },
    ] as [[UInt64]])
  func findsWhatASearchFinds(_ frames: [UInt64]) {
    let index = FrameIndex(frames)
    let asked = frames.flatMap { [$0 &- 1, $0, $0 &+ 1] } + [0, 3, 1 << 30, .max]
    for frame in asked {
      #expect(
        index.first(atLeast: frame) == frames.firstIndex { $0 >= frame } ?? frames.count,
        "\(frame)")
    }
  }
}
