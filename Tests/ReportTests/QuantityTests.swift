// SPDX-License-Identifier: Apache-2.0

import Memory
import Testing

@testable import Report

struct QuantityTests {
  @Test(
    arguments: [
      (0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1024 bytes (1.0 KiB)"),
      (1536, "1536 bytes (1.5 KiB)"), (0xf_ffff, "1048575 bytes (1023.9 KiB)"),
      (0x10_0000, "1048576 bytes (1.0 MiB)"), (5 << 30, "5368709120 bytes (5.0 GiB)"),
      (.max, "18446744073709551615 bytes (15.9 EiB)"),
    ] as [(UInt64, String)])
  func saysBytesTwice(_ count: UInt64, _ expected: String) {
    #expect(Quantity.bytes(count) == expected)
  }

  @Test(arguments: [
    (0, "1970-01-01 00:00:00 UTC (0)"),
    (951_782_400, "2000-02-29 00:00:00 UTC (951782400)"),
    (951_868_799, "2000-02-29 23:59:59 UTC (951868799)"),
    (1_795_342_333, "2026-11-22 10:12:13 UTC (1795342333)"),
    (4_107_542_399, "2100-02-28 23:59:59 UTC (4107542399)"),
    (4_107_542_400, "2100-03-01 00:00:00 UTC (4107542400)"),
    (253_402_300_799, "9999-12-31 23:59:59 UTC (253402300799)"),
    (253_402_300_800, "253402300800 s after 1970"), (-1, "-1 s after 1970"),
    (.min, "-9223372036854775808 s after 1970"), (.max, "9223372036854775807 s after 1970"),
  ])
  func tellsTheDate(_ seconds: Int, _ expected: String) {
    #expect(Quantity.time(seconds) == expected)
  }

  @Test(
    arguments: [
      ([], []), ([0], ["0"]), ([0, 1], ["0-1"]), ([0, 2], ["0", "2"]),
      ([0, 1, 2, 5, 7, 8], ["0-2", "5", "7-8"]), ([.max - 1, .max], ["4294967294-4294967295"]),
      // Not ascending, as only a hostile report would have it.
      ([.max, 0, 0], ["4294967295", "0", "0"]),
    ] as [([UInt32], [String])])
  func joinsNeighbours(_ numbers: [UInt32], _ expected: [String]) {
    #expect(Quantity.ranges(numbers) == expected)
  }

  @Test(
    arguments: [
      (0, 0, 1), (0, 0xfff, 0x1000), (1, 0, nil), (0, .max, nil), (1, .max, .max),
    ] as [(UInt64, UInt64, UInt64?)])
  func measuresInclusiveRanges(_ start: UInt64, _ end: UInt64, _ expected: UInt64?) {
    #expect(Quantity.length(IOVirtualAddress(start), IOVirtualAddress(end)) == expected)
  }

  @Test(arguments: [
    ("", 5, [""]), ("a b c", 5, ["a b c"]), ("a b c", 4, ["a b", "c"]),
    ("abcdefgh", 3, ["abc", "def", "gh"]), ("a abcdef", 3, ["a", "abc", "def"]),
    ("abc def", 3, ["abc", "def"]), ("x", 0, ["x"]), ("xy", -5, ["x", "y"]),
  ])
  func wrapsBetweenWordsWhereItCan(_ text: String, _ width: Int, _ expected: [String]) {
    #expect(PlainText.wrapped(text, width: width) == expected)
  }
}
