// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Commands

/// Values of `history --last`.
struct DurationTests {
  static let good: [(String, UInt64)] = [
    ("100ms", 100_000_000), ("2s", 2_000_000_000), ("2", 2_000_000_000), ("1.5s", 1_500_000_000),
    ("250us", 250_000), ("7ns", 7), ("3m", 180_000_000_000), ("0", 0),
  ]

  @Test(arguments: good) func isRead(_ text: String, _ nanoseconds: UInt64) {
    #expect(DurationArgument(argument: text)?.nanoseconds == nanoseconds)
  }

  @Test(arguments: [
    "", "ms", "-1s", "+1s", "1h", "1.s", ".5s", "1.2.3s", "99999999999999999999s", "1e3",
  ])
  func isRefused(_ text: String) {
    #expect(DurationArgument(argument: text) == nil)
  }
}
