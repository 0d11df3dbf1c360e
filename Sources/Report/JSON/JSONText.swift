// SPDX-License-Identifier: Apache-2.0

/// The one place where text becomes a JSON string.
enum JSONText {
  /// The UTF-8 of `text` in quotation marks, with everything escaped that JSON forbids or a terminal
  /// would obey: control and format characters, line and paragraph separators, noncharacters.
  ///
  /// What is no Unicode has become U+FFFD when the text was made.
  static func quoted(_ text: String) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count + 2)
    result.append(UInt8(ascii: "\""))
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\"".utf8
      case "\\": result += "\\\\".utf8
      case "\n": result += "\\n".utf8
      case "\r": result += "\\r".utf8
      case "\t": result += "\\t".utf8
      default:
        if scalar.isPrintable {
          result += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
        } else {
          for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
            let digits = String(unit, radix: 16)
            result += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
          }
        }
      }
    }
    result.append(UInt8(ascii: "\""))
    return result
  }

  /// Whether a byte stands for itself in a JSON string.
  static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte < 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }
}

extension Unicode.Scalar {
  /// Whether the character only draws itself: no control, no direction override, no line separator,
  /// nothing private or unassigned.
  var isPrintable: Bool {
    if value >= 0x20 && value < 0x7f { return true }
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
      .unassigned:
      return false
    default: return true
    }
  }
}
