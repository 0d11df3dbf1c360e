// SPDX-License-Identifier: Apache-2.0

/// Drawing with SVG: shapes whose looks are classes of `PageStyle`, told apart by pattern as well as by
/// colour.
struct Picture {
  let writer: HTMLWriter
  let width: Int
  let height: Int

  /// Patterns that all pictures use.
  static func writeDefinitions(to writer: HTMLWriter) {
    writer.markup(
      """
      <svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>\
      <pattern id="p-dots" width="5" height="5" patternUnits="userSpaceOnUse">\
      <circle class="dot" cx="1.5" cy="1.5" r="1"/></pattern>\
      <pattern id="p-slash" width="6" height="6" patternUnits="userSpaceOnUse">\
      <path class="d2" d="M-1,7L7,-1M-1,1L1,-1M5,7L7,5" stroke-width="1.6"/></pattern>\
      <pattern id="p-back" width="6" height="6" patternUnits="userSpaceOnUse">\
      <path class="d1" d="M-1,-1L7,7M-1,5L1,7M5,-1L7,1" stroke-width="1.3"/></pattern>\
      <pattern id="p-cross" width="6" height="6" patternUnits="userSpaceOnUse">\
      <path class="d3" d="M0,0L6,6M6,0L0,6" stroke-width=".9"/></pattern>\
      <pattern id="p-bars" width="4" height="4" patternUnits="userSpaceOnUse">\
      <path class="d4" d="M2,0V4" stroke-width="1.6"/></pattern></defs></svg>

      """)
  }

  /// Draws a picture.
  ///
  /// - Parameters:
  ///   - title: what it shows, for who does not see it.
  ///   - description: what there is to see in it, in words.
  static func draw(
    _ title: String, _ description: String, width: Int = 1000, height: Int,
    to writer: HTMLWriter, _ body: (Picture) -> Void
  ) {
    writer.open(
      "div", [("class", "scroll"), ("role", "region"), ("tabindex", "0"), ("aria-label", title)])
    writer.open(
      "svg",
      [
        ("class", "picture"), ("viewBox", "0 0 \(width) \(height)"),
        ("aria-label", "\(title). \(description)"),
      ])
    body(Picture(writer: writer, width: width, height: height))
    writer.markup("</svg></div>\n")
  }

  /// One decimal is finer than any screen.
  static func number(_ value: Double) -> String {
    guard value.isFinite else { return "0" }
    let tenths = (value * 10).rounded()
    let whole = Int(tenths / 10)
    let rest = Int(abs(tenths)) % 10
    return rest == 0 ? "\(whole)" : "\(tenths < 0 && whole == 0 ? "-" : "")\(whole).\(rest)"
  }

  func rectangle(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ look: String,
    radius: Double = 0, title: String? = nil
  ) {
    var attributes: HTMLWriter.Attributes = [
      ("class", look), ("x", Self.number(x)), ("y", Self.number(y)),
      ("width", Self.number(max(0, width))), ("height", Self.number(max(0, height))),
    ]
    if radius > 0 { attributes.append(("rx", Self.number(radius))) }
    writer.element("rect", attributes) {
      if let title { writer.element("title", title) }
    }
  }

  func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ look: String) {
    writer.open(
      "line",
      [
        ("class", look), ("x1", Self.number(x1)), ("y1", Self.number(y1)),
        ("x2", Self.number(x2)), ("y2", Self.number(y2)),
      ])
    writer.close("line")
  }

  func text(
    _ text: String, _ x: Double, _ y: Double, _ look: String = "", anchor: StaticString = "start"
  ) {
    writer.element(
      "text",
      [
        ("class", look), ("x", Self.number(x)), ("y", Self.number(y)),
        ("text-anchor", "\(anchor)"),
      ], text)
  }

  /// A triangle that points down, its tip at a place.
  func mark(_ x: Double, _ y: Double, _ look: String, title: String) {
    let points =
      "\(Self.number(x)),\(Self.number(y)) \(Self.number(x - 5)),\(Self.number(y - 9))"
      + " \(Self.number(x + 5)),\(Self.number(y - 9))"
    writer.element("polygon", [("class", look), ("points", points)]) {
      writer.element("title", title)
    }
  }

  /// What is drawn inside leads somewhere; everything else is as without.
  func link(_ target: String?, _ label: String, _ body: () -> Void) {
    guard let target else {
      body()
      return
    }
    writer.element("a", [("href", "#" + target), ("aria-label", label)], body)
  }

  /// Text that is cut to fit; the cut is visible.
  static func fitting(_ text: String, _ characters: Int) -> String {
    text.count > characters ? text.prefix(max(1, characters - 1)) + "\u{2026}" : text
  }

  /// A legend below a picture: looks, each with its words.
  static func legend(
    _ entries: [(look: String, words: String)], to writer: HTMLWriter
  ) {
    writer.open("ul", [("class", "legend")])
    for entry in entries {
      writer.open("li")
      writer.open("svg", [("viewBox", "0 0 26 14"), ("aria-hidden", "true")])
      if entry.look == "flight" {
        writer.open("path", [("class", "flight"), ("d", "M1,4V2H25V4")])
        writer.close("path")
      } else if entry.look == "arrow" {
        writer.open("polygon", [("class", "arrow"), ("points", "13,12 8,3 18,3")])
        writer.close("polygon")
      } else {
        writer.open(
          "rect",
          [
            ("class", entry.look), ("x", "1"), ("y", "1"), ("width", "24"), ("height", "12"),
          ])
        writer.close("rect")
      }
      writer.close("svg")
      writer.text(entry.words)
      writer.close("li")
    }
    writer.close("ul")
  }
}
