// SPDX-License-Identifier: Apache-2.0

/// Documents whose form somebody else laid down, written member by member.
extension JSONWriter {
  /// Nanoseconds as a number of microseconds, with all that is behind the point: `12.345`.
  func microseconds(_ nanoseconds: UInt64) {
    scalar { writer in
      writer.output.append(decimal: nanoseconds / 1000, isNegative: false)
      let rest = nanoseconds % 1000
      writer.output.append(rest < 10 ? ".00" : rest < 100 ? ".0" : ".")
      writer.output.append(decimal: rest, isNegative: false)
    }
  }

  func member(_ name: StaticString, _ text: String) {
    key(name)
    string(text)
  }

  func object(_ name: StaticString, _ body: () -> Void) {
    key(name)
    object(body)
  }

  func object(_ name: String, _ body: () -> Void) {
    key(name)
    object(body)
  }

  func object(_ body: () -> Void) {
    openObject()
    body()
    close()
  }

  func member(_ name: StaticString, _ number: some FixedWidthInteger) {
    key(name)
    integer(number)
  }

  func array(_ name: StaticString, _ body: () -> Void) {
    key(name)
    openArray()
    body()
    close()
  }
}
