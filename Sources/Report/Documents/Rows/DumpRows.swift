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
  }
}
