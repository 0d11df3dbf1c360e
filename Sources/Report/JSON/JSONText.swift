// SPDX-License-Identifier: Apache-2.0

/// The one place where text becomes a JSON string.
enum JSONText {
  /// `text` in quotation marks, with everything escaped that JSON forbids or a terminal would obey:
  /// control and format characters, line and paragraph separators, noncharacters.
  static func quoted(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c }) {
      return "\"" + text + "\""
    }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      default:
        if scalar.isPrintable {
          result.unicodeScalars.append(scalar)
        } else {
          for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
            result += "\\u" + padded(unit)
          }
        }
      }
    }
    return result + "\""
  }

  private static func padded(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return String(repeating: "0", count: 4 - digits.count) + digits
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
