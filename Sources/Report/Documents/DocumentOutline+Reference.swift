// SPDX-License-Identifier: Apache-2.0

/// The reference of all documents: a page of the manual and the same as Markdown, made from what the
/// documents state about themselves.
public enum DocumentReference {
  /// `Documentation/JSON.md`.
  public static var markdown: String {
    var text = """
      # JSON documents

      <!-- Written by `make reference`; the source is Sources/Report/Documents. -->

      \(introduction.joined(separator: "\n\n"))

      | Document | Schema | Printed by |
      |---|---|---|

      """
    for outline in DocumentOutline.all {
      text +=
        "| [\(outline.verb)](#\(outline.verb)) | `\(outline.schema)` | `iommuscope \(outline.verb) --format json` |\n"
    }
    text += "\n## What stays and what may change\n\n"
    text += promise.map { "- \($0)\n" }.joined()
    text += "\n## Kinds of text\n\n| Kind | Pattern | Meaning |\n|---|---|---|\n"
    for kind in TextKind.allCases {
      let pattern = kind.pattern.map { "`\($0.replacing("|", with: "\\|"))`" } ?? "any"
      text += "| \(kind.rawValue) | \(pattern) | \(kind.meaning) |\n"
    }
    for outline in DocumentOutline.all {
      text += "\n## \(outline.verb)\n\n\(outline.meaning)\n\n" + table(outline.fields)
      for row in outline.rows {
        text += "\n### \(outline.verb): \(row.name)\n\n\(row.meaning)\n\n" + table(row.fields)
      }
    }
    return text
  }

  private static func table(_ fields: [FieldOutline]) -> String {
    var text = "| Key | Value | Meaning |\n|---|---|---|\n"
    for field in fields {
      let meaning = (field.fullMeaning).replacing("|", with: "\\|")
      text +=
        "| `\(field.name)` | \(field.form.phrase.replacing("|", with: "\\|")) | \(meaning) |\n"
    }
    return text
  }

  /// `man/iommuscope-json.5`.
  public static var manualPage: String {
    var text = """
      .\\" SPDX-License-Identifier: Apache-2.0
      .\\" Written by `make reference`; the source is Sources/Report/Documents.
      .TH IOMMUSCOPE\\-JSON 5 "\(date)" "iommuscope \(Tool.current.version)" "File Formats"
      .SH NAME
      iommuscope\\-json \\- the JSON documents that iommuscope prints
      .SH DESCRIPTION

      """
    text += introduction.map { escaped($0) + "\n" }.joined(separator: ".PP\n")
    text += ".SH WHAT STAYS AND WHAT MAY CHANGE\n"
    for sentence in promise { text += ".IP \\(bu 2\n\(escaped(sentence))\n" }
    text += ".SH KINDS OF TEXT\n"
    for kind in TextKind.allCases {
      text += ".TP\n.B \(kind.rawValue)\n\(escaped(kind.meaning))\n"
      if let pattern = kind.pattern { text += ".br\n\(escaped(pattern))\n" }
    }
    for outline in DocumentOutline.all {
      text += ".SH \(outline.verb.uppercased())\n"
      text += escaped("\(outline.meaning) Schema \(outline.schema).") + "\n"
      text += list(outline.fields)
      for row in outline.rows {
        text += ".SS \(escaped(row.name))\n\(escaped(row.meaning))\n" + list(row.fields)
      }
    }
    text += ".SH SEE ALSO\n.BR iommuscope (1)\n"
    return text
  }

  private static let date = "2026-11-25"

  private static func list(_ fields: [FieldOutline]) -> String {
    fields.map { field in
      ".TP\n.BR \(escaped(field.name)) \" (\(escaped(field.form.phrase)))\"\n"
        + escaped(field.fullMeaning) + "\n"
    }.joined()
  }

  /// Text as roff takes it literally.
  private static func escaped(_ text: String) -> String {
    let text = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
      .replacing("^", with: "\\(ha").replacing("`", with: "").replacing("\"", with: "\\(dq")
    return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
  }

  private static let introduction = [
    "Every verb prints one document with `--format json`: one object in UTF-8, keys in a stable order,"
      + " the same bytes for the same input. `iommuscope schema DOCUMENT` prints its JSON Schema (draft"
      + " 2020-12), `iommuscope schema` the names.",
    "Addresses, a run's length, table words and register values are strings such as \"0x1f\", because"
      + " JSON numbers lose precision beyond 53 bits; everything else numeric is a number. Keys are"
      + " never missing and values never guessed: null is unknown or not applicable, [] is known to be"
      + " empty. Every end is inclusive. Text from the dump is escaped so that it cannot steer a"
      + " terminal.",
    "`--format ndjson` prints the same as lines, one object each, written as they are made. The first"
      + " has `list` \"document\" and what is left of the document without its lists of rows; a list"
      + " that is unknown stays there as null. Then comes a line for each row: `list` is the place of"
      + " its list in the document with dots between the keys (\"units\", \"findings\"), `row` its"
      + " number among the rows of that place, and the row's own members follow. Rows whose lists"
      + " grow with memory have these as lines too, behind their own: \"domains.mapping.runs\","
      + " \"domains.iova.allocated\", \"policies.devices\" and others, where `of` is the number of the"
      + " row that they are part of. The last line has `list` \"end\" and in `lines` how many came"
      + " before it; an output without it was cut. `iommuscope schema DOCUMENT --lines` prints the JSON"
      + " Schema of a line.",
  ]

  private static let promise = [
    "The key `schema` names the form and its version. A program that reads documents checks it first"
      + " and refuses a version that it does not know, as iommuscope does (exit status 2).",
    "Within a version keys may be added, anywhere in an object, and so may words of an enumeration"
      + " and kinds of findings. A reader passes by keys that it does not know. A key that was added"
      + " later is marked with the program's version that brought it; iommuscope reads older documents"
      + " of the same version, which lack it.",
    "Lines follow their document: their lists and keys are covered by its version. Lists that are part"
      + " of a row may become lines of their own only with the next version.",
    "SARIF logs keep to version 2.1.0 of that standard. The ids of rules and the form of the"
      + " fingerprints `ruleAndSubject/v1` stay.",
    "Within a version no key goes, changes its name, type, unit or meaning, or may become null where"
      + " it could not; no list changes its order. Any of these brings the next version (`/2`).",
    "A schema closes its objects and lists its words as they are in the program that prints it; an"
      + " older program's schema may refuse a newer program's document.",
    "The wording of messages, reasons and details is for people and may change at any time; decide by"
      + " rule, kind, outcome and the other enumerations.",
  ]
}

extension FieldOutline {
  /// The meaning with that of the words of an enumeration, and the version that brought the field.
  fileprivate var fullMeaning: String {
    meaning + form.meaningOfWords + (since.map { " Since \($0)." } ?? "")
  }
}

extension Form {
  /// The form as a reader is told it.
  fileprivate var phrase: String {
    switch self {
    case .any: "any value"
    case .flag: "boolean"
    case .integer(let minimum, let maximum):
      switch (minimum, maximum) {
      case (nil, _), (_, nil): minimum == 0 ? "number, 0 or more" : "number"
      case (let minimum?, let maximum?):
        maximum == .max ? "number, \(minimum) or more" : "number, \(minimum) to \(maximum)"
      }
    case .text, .textExcept: "string"
    case .pattern(let kind): kind.rawValue
    case .choice(let choices): choices.map(\.word).joined(separator: " | ")
    case .constant(let text): "\"\(text)\""
    case .numbers(let numbers): numbers.map { "\($0)" }.joined(separator: " | ")
    case .nullable(let form): form.phrase + " or null"
    case .array(let form, _): "list of " + form.phrase
    case .row(let name): name
    case .map: "object"
    case .either(let forms): forms.map(\.phrase).joined(separator: " or ")
    }
  }
}
