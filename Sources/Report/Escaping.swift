// SPDX-License-Identifier: Apache-2.0

/// The one place where text from elsewhere becomes harmless for where it goes.
///
/// Names, logs and messages in a dump come from strangers, and so may a report, a System.map or an
/// argument: a driver's name may hold escape sequences, direction overrides, markup or line feeds.
/// Whoever prints passes one of these functions, and nothing else in the package escapes.
public enum Escaping {
  /// Text for a line of a terminal: everything but printable ASCII is spelled out.
  ///
  /// One column per character, and nothing that a terminal would obey. A backslash is doubled, so that
  /// the result can be read back.
  public static func terminal(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && $0 != 0x5c }) { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if scalar == "\\" { result += "\\\\" } else { append(scalar, to: &result) }
    }
    return result
  }

  /// Lines of this program's own making with text from elsewhere in them: line feeds and tabs stay,
  /// and so do backslashes.
  public static func terminalLines(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f || $0 == 0x0a || $0 == 0x09 }) { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if scalar == "\n" || scalar == "\t" {
        result.unicodeScalars.append(scalar)
      } else {
        append(scalar, to: &result)
      }
    }
    return result
  }

  private static func append(_ scalar: Unicode.Scalar, to result: inout String) {
    switch scalar {
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    case " "..."~": result.unicodeScalars.append(scalar)
    default: result += "\\u{" + String(scalar.value, radix: 16) + "}"
    }
  }

  /// The UTF-8 of `text` in quotation marks, with everything escaped that JSON forbids or a terminal
  /// would obey: control and format characters, line and paragraph separators, noncharacters.
  ///
  /// What is no Unicode has become U+FFFD when the text was made.
  static func json(_ text: String) -> [UInt8] {
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
  static func isPlainJSON(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte < 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }

  /// The UTF-8 of text for the content and for the quoted attributes of HTML, in which nothing is markup
  /// and every character only draws itself: controls, direction overrides and marks that pile up on other
  /// letters are spelled out, `\u{202e}`.
  static func html(_ text: String) -> [UInt8] {
    if text.utf8.allSatisfy(isPlainHTML) { return Array(text.utf8) }
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;".utf8
      case "<": result += "&lt;".utf8
      case ">": result += "&gt;".utf8
      case "\"": result += "&quot;".utf8
      case "'": result += "&#39;".utf8
      default:
        if scalar.isPrintable, !scalar.isMark {
          result += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
        } else {
          result += "\\u{\(String(scalar.value, radix: 16))}".utf8
        }
      }
    }
    return result
  }

  private static func isPlainHTML(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""),
      UInt8(ascii: "'"):
      false
    default: byte >= 0x20 && byte < 0x7f
    }
  }

  /// Text as one component of a file's name: letters, digits, `.`, `_`, `+` and `-`, everything else an
  /// underscore, never hidden, never empty, at most 128 bytes.
  public static func fileName(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      guard result.utf8.count < 128 else { break }
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "_", "+", "-", ".":
        result.unicodeScalars.append(scalar)
      default: result += "_"
      }
    }
    if result.isEmpty { return "_" }
    // A leading point hides the file or leaves the folder, a leading dash is taken for an option.
    return result.hasPrefix(".") || result.hasPrefix("-") ? "_" + result.dropFirst() : result
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

  /// Whether it is drawn onto the letter before it.
  fileprivate var isMark: Bool {
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .spacingMark: true
    default: false
    }
  }
}
