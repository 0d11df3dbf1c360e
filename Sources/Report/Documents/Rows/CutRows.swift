// SPDX-License-Identifier: Apache-2.0

internal import Memory

extension Cut: DocumentRow {
  static var rowName: String { "cut" }
  static var rowMeaning: String {
    "A place where work ended because what the run may do was spent."
  }
  static var blank: Cut? { Cut(what: .entries, limit: 0, detail: "") }

  /// The same in every document.
  static let meaning: StaticString =
    "Where work ended because a limit was reached, so that not all was looked at; empty otherwise."

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Cut {
    fields.field("what", \.what, "What there was no more of.")
    fields.field("unit", \.unit, "Name of the unit whose work it was.")
    fields.field("device", \.device, "The device whose work it was.")
    fields.field("limit", \.limit, "How much of it the whole run had.", .count)
    fields.field("detail", \.detail, "What was being done there.")
  }
}

extension WorkPart: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .entries: "table entries that may be looked at (--max-entries)."
    case .revisits: "further visits of table pages within one walk (--max-entries)."
    case .runs: "rows that may be kept (--max-runs)."
    case .objects: "objects of the kernel that may be read (--max-objects)."
    case .pages: "pages that may be decompressed (--max-pages)."
    case .output: "bytes of the result that may be written (--max-output)."
    }
  }
}
