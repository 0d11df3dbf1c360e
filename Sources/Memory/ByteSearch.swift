// SPDX-License-Identifier: Apache-2.0

extension StringProtocol {
  /// Whether the bytes of `part` stand in the text one after another.
  ///
  /// As characters, a search through a kernel's log would cost more than all tables of a small
  /// machine.
  public func hasBytes(of part: String) -> Bool {
    let (text, part) = (Array(utf8), Array(part.utf8))
    guard let first = part.first else { return true }
    guard text.count >= part.count else { return false }
    for start in 0...text.count - part.count where text[start] == first {
      if text[start..<start + part.count].elementsEqual(part) { return true }
    }
    return false
  }
}
