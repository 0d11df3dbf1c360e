// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState
public import Translation

/// The document of `translate`.
public struct TranslateDocument: Hashable, Sendable {
  public var tool: Tool
  public var dump: DumpSummary
  /// In the order in which the addresses were given.
  public var translations: [AddressTranslation]

  /// Where work ended early; empty where all was looked at.
  public var cuts: [Cut]

  public init(
    dump: DumpSummary, translations: [AddressTranslation], cuts: [Cut] = [], tool: Tool = .current
  ) {
    self.cuts = cuts
    self.tool = tool
    self.dump = dump
    self.translations = translations
  }
}

extension TranslateDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(TranslateDocument.self, verb: "translate")
  public var body: DocumentBody { DocumentBody(self) }

  static var rowName: String { "translate" }
  static var rowMeaning: String { "Where addresses of a device lead, level by level." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == TranslateDocument {
    fields.constant("schema", "iommuscope-translate/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("dump", \.dump, "The dump that was read.")
    fields.field("translations", \.translations, "In the order in which the addresses were given.")
    fields.field("cuts", \.cuts, Cut.meaning, since: "0.1.0")
  }
}
