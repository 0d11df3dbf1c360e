// SPDX-License-Identifier: Apache-2.0

import Memory

/// How numbers read in text.
enum Quantity {
  /// `4096 bytes (4.0 KiB)`.
  static func bytes(_ count: UInt64) -> String {
    let unit = count == 1 ? "byte" : "bytes"
    guard let short = iec(count) else { return "\(count) \(unit)" }
    return "\(count) \(unit) (\(short))"
  }

  /// `4.0 KiB`, rounded down; `nil` below 1024.
  static func iec(_ count: UInt64) -> String? {
    guard count >= 1024 else { return nil }
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    let power = (63 - count.leadingZeroBitCount) / 10
    let shift = UInt64(10 * power)
    let tenths = ((count >> (shift - 10)) & 0x3ff) * 10 / 1024
    return "\(count >> shift).\(tenths) \(units[power - 1])"
  }

  /// `1 leaf`, `2 leaves`.
  static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
    "\(number) \(number == 1 ? one : many ?? one + "s")"
  }

  /// `4,206,592`.
  static func grouped(_ number: UInt64) -> String {
    var text = ""
    for (index, digit) in "\(number)".reversed().enumerated() {
      if index > 0, index % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return String(text.reversed())
  }

  /// Bytes from `start` to `end`, inclusive; `nil` where the range is empty or all of 64 bits.
  static func length(_ start: IOVirtualAddress, _ end: IOVirtualAddress) -> UInt64? {
    guard let distance = end.distance(from: start), distance < .max else { return nil }
    return distance + 1
  }

  /// `0-3, 7`: ascending numbers, neighbours joined.
  static func ranges(_ numbers: [UInt32]) -> [String] {
    var result: [String] = []
    var first: UInt32?
    var last: UInt32 = 0
    func text(_ first: UInt32) -> String { first == last ? "\(first)" : "\(first)-\(last)" }
    for number in numbers {
      if let start = first {
        if number > last, number - last == 1 {
          last = number
          continue
        }
        result.append(text(start))
      }
      first = number
      last = number
    }
    if let first { result.append(text(first)) }
    return result
  }

  /// `2026-11-22 10:12:13 UTC (1795342333)`; only the number where no calendar date is sensible.
  static func time(_ seconds: Int) -> String {
    // Up to the end of the year 9999.
    guard (0..<253_402_300_800).contains(seconds) else { return "\(seconds) s after 1970" }
    let days = seconds / 86_400
    let rest = seconds % 86_400
    // Gregorian date of a day count; the year begins in March, so that leap days come last.
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let date = "\(year)-\(two(month))-\(two(day))"
    return "\(date) \(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60)) UTC (\(seconds))"
  }

  private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
