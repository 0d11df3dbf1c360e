// SPDX-License-Identifier: Apache-2.0

/// Writes a page, element by element, as it goes.
///
/// Whatever is not a constant of the program passes `Escaping`: names of elements and attributes and
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
    bytes += Escaping.html(text)
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
  ///
  /// - Parameter title: says more to who points at it.
  func link(_ text: String, to target: String?, title: String? = nil) {
    var attributes: Attributes = []
    if let target { attributes.append(("href", "#" + target)) }
    if let title { attributes.append(("title", title)) }
    if target != nil {
      element("a", attributes, text)
    } else if title != nil {
      element("span", attributes, text)
    } else {
      self.text(text)
    }
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
