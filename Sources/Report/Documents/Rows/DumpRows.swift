// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Tool: DocumentRow {
  static var rowName: String { "tool" }
  static var rowMeaning: String { "The program that wrote the document." }
  static var blank: Tool? { Tool(name: "", version: "") }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Tool {
    fields.field("name", \.name, "Its name.")
    fields.field("version", \.version, "Its version; never compared.")
  }
}

extension DumpSummary: DocumentRow {
  static var rowName: String { "dump" }
  static var rowMeaning: String { "Which dump was read, and by which means." }
  static var blank: DumpSummary? { DumpSummary(file: "", format: "") }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DumpSummary {
    fields.field("file", \.file, "The file's name as it was given.")
    fields.field("format", \.format, "elf, kdump, flattened-elf and so on.", .notEmpty)
    fields.field("release", \.release, "uname -r of the crashed kernel.")
    fields.field(
      "buildID", \.buildID, "The crashed kernel's GNU build id, hexadecimal.", .kind(.buildID))
    fields.field(
      "typesFrom", \.typesFrom, "What told the layout of the kernel's structures.",
      .words([
        "dwarf": "debugging information of a vmlinux.", "btf": "the types inside the kernel image.",
      ]))
    fields.field("pageSize", \.pageSize, "Bytes of a page.", .range(1...Int.max))
    fields.field("kaslrOffset", \.kaslrOffset, "Bytes by which the kernel's text was moved.")
    fields.field("panic", \.panic, "The last panic message of the kernel log, one line.")
    fields.field("crashTime", \.crashTime, "When the kernel crashed, in Unix seconds.")
    fields.field(
      "contents", \.contents,
      "What of the machine's memory the file holds; null where the format does not tell.",
      since: "0.1.0")
    fields.field(
      "dumpLevel", \.dumpLevel,
      "What makedumpfile was told to leave out (-d), a sum of bits; null where nothing tells.",
      since: "0.1.0")
  }
}

extension DumpSummary.Contents: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .all: "nothing says that pages were left out."
    case .filtered: "a filter left kinds of pages out."
    case .extract: "only the pages that an analysis of remapping needs."
    }
  }
}
