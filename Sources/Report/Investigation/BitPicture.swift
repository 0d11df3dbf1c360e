// SPDX-License-Identifier: Apache-2.0

import Memory
import Translation

/// An entry drawn bit by bit: each word in binary, split into its fields, with callouts above and
/// below.
///
///       AW [66:64]
///       |
///     0b010
struct BitPicture {
  let entry: DecodedEntry

  init(_ entry: DecodedEntry) { self.entry = entry }

  /// The lines of one word, at most 100 columns with an indent of 4.
  func lines(word index: Int) -> [String] {
    guard index < entry.raw.count else { return [] }
    let raw = entry.raw[index].rawValue
    let digits = String(raw, radix: 2)
    let bits = Array(String(repeating: "0", count: 64 - digits.count) + digits)
    let base = 64 * index
    var picture = "0b"
    var marks: [(column: Int, label: String)] = []
    // From the highest bit down, as the digits stand.
    for field in entry.fields where field.high >= base && field.low < base + 64 {
      let high = min(field.high - base, 63)
      let low = max(field.low - base, 0)
      let part = String(bits[(63 - high)...(63 - low)])
      if picture != "0b" { picture += " " }
      let isQuiet = field.name == "reserved" || field.name == "ignored"
      if !(isQuiet && !part.contains("1")) {
        let range = field.high == field.low ? "\(field.high)" : "\(field.high):\(field.low)"
        marks.append((picture.count, "\(field.name) [\(range)]"))
      }
      picture += part
    }
    // Every other callout goes below, so that the stairs are half as high.
    let above = marks.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    let below = marks.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    return stairs(above) + [picture] + stairs(below).reversed()
  }

  /// One line per label, the leftmost first, each with the bars of those to its left.
  private func stairs(_ marks: [(column: Int, label: String)]) -> [String] {
    var lines: [String] = []
    for (number, mark) in marks.enumerated() {
      var line: [Character] = []
      for bar in marks[..<number] {
        line += Array(repeating: " ", count: max(0, bar.column - line.count)) + ["|"]
      }
      // A label that would pass the right edge stands to the left of its bar.
      let fits = mark.column + mark.label.count <= 96
      let start = fits ? mark.column : max(0, mark.column - mark.label.count + 1)
      if start >= line.count {
        line += Array(repeating: " ", count: start - line.count) + Array(mark.label)
      } else {
        line += [" "] + Array(mark.label)
      }
      lines.append(String(line))
    }
    if !marks.isEmpty {
      var line: [Character] = []
      for bar in marks {
        line += Array(repeating: " ", count: max(0, bar.column - line.count)) + ["|"]
      }
      lines.append(String(line))
    }
    return lines
  }
}
