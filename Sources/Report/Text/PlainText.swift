// SPDX-License-Identifier: Apache-2.0

/// Escaped text broken or cut to the width of a page.
public enum PlainText {
  /// Breaks escaped text into lines of at most `width` characters, between words where it can.
  static func wrapped(_ text: String, width: Int) -> [String] {
    let width = max(1, width)
    var lines: [String] = []
    var line = ""
    var room = width
    for word in text.split(separator: " ") {
      var word = word
      if !line.isEmpty {
        if word.utf8.count < room {
          line += " " + word
          room -= word.utf8.count + 1
          continue
        }
        lines.append(line)
        line = ""
      }
      // A word that is longer than a line is cut; no blank may be invented inside it.
      while word.utf8.count > width {
        lines.append(String(word.prefix(width)))
        word = word.dropFirst(width)
      }
      line = String(word)
      room = width - line.utf8.count
    }
    if !line.isEmpty || lines.isEmpty { lines.append(line) }
    return lines
  }

  /// Escaped text cut to `width` characters; the cut is visible.
  static func clipped(_ text: String, width: Int) -> String {
    guard text.utf8.count > width else { return text }
    let mark = String(repeating: ".", count: min(3, max(0, width)))
    return String(text.prefix(max(0, width - mark.utf8.count))) + mark
  }
}
