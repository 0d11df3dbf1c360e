// SPDX-License-Identifier: Apache-2.0

/// The one place where text becomes a part of a page.
enum HTMLText {
  /// Appends text in which nothing is markup and every character only draws itself: what HTML or an
  /// attribute would obey is a reference, controls, direction overrides and marks that pile up on
  /// other letters are spelled out, `\u{202e}`.
  static func append(_ text: String, to bytes: inout [UInt8]) {
    if text.utf8.allSatisfy(isPlain) {
      bytes += text.utf8
      return
    }
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": bytes += "&amp;".utf8
      case "<": bytes += "&lt;".utf8
      case ">": bytes += "&gt;".utf8
      case "\"": bytes += "&quot;".utf8
      case "'": bytes += "&#39;".utf8
      default:
        if drawsItself(scalar) {
          bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
        } else {
          bytes += "\\u{\(String(scalar.value, radix: 16))}".utf8
        }
      }
    }
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""),
      UInt8(ascii: "'"):
      false
    default: byte >= 0x20 && byte < 0x7f
    }
  }

  private static func drawsItself(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.isPrintable else { return false }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .spacingMark: return false
    default: return true
    }
  }
}

/// Writes a page, element by element, as it goes.
///
/// Whatever is not a constant of the program passes `HTMLText`: names of elements and attributes and
/// markup are `StaticString`, texts and values are escaped.
final class HTMLWriter {
  private static let chunk = 1 << 16

  /// The value of an attribute.
  typealias Attributes = [(name: StaticString, value: String)]

  private let sink: any ByteSink
  private var bytes: [UInt8] = []
  private(set) var failure: OutputError?

  init(_ sink: any ByteSink) {
    self.sink = sink
    bytes.reserveCapacity(Self.chunk + 4096)
  }

  /// Whether the sink takes no more.
  var hasFailed: Bool { failure != nil }

  /// Markup of the program's own.
  func markup(_ text: StaticString) {
    bytes += text.description.utf8
    makeRoom()
  }

  func text(_ text: String) {
    HTMLText.append(text, to: &bytes)
    makeRoom()
  }

  /// Opens an element, or writes one that has no end.
  func open(_ name: StaticString, _ attributes: Attributes = []) {
    markup("<")
    markup(name)
    for (name, value) in attributes {
      markup(" ")
      markup(name)
      markup("=\"")
      text(value)
      markup("\"")
    }
    markup(">")
  }

  func close(_ name: StaticString) {
    markup("</")
    markup(name)
    markup(">")
  }

  func element(_ name: StaticString, _ attributes: Attributes = [], _ body: () -> Void) {
    open(name, attributes)
    body()
    close(name)
  }

  func element(_ name: StaticString, _ text: String) { element(name, [], text) }

  func element(_ name: StaticString, _ attributes: Attributes, _ text: String) {
    open(name, attributes)
    self.text(text)
    close(name)
  }

  /// A link inside the page; plain text where there is no target.
  func link(_ text: String, to target: String?) {
    guard let target else {
      self.text(text)
      return
    }
    element("a", [("href", "#" + target)], text)
  }

  private func makeRoom() {
    if bytes.count >= Self.chunk { flush() }
  }

  private func flush() {
    if failure == nil, !bytes.isEmpty {
      do { try sink.write(bytes) } catch { failure = error }
    }
    bytes.removeAll(keepingCapacity: true)
  }

  func finish() throws(OutputError) {
    flush()
    if let failure { throw failure }
  }
}
