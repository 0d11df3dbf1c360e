// SPDX-License-Identifier: Apache-2.0

public import Memory
public import Owners
public import RemappingState

/// The document of `owners`.
public struct OwnersDocument: Hashable, Sendable {
  public var tool: Tool
  public var dump: DumpSummary
  /// In the order in which the ranges were given.
  public var ranges: [Answer]
  /// Whether every table could be read; where not, more devices may reach the ranges.
  public var tablesComplete: Bool
  /// Where work ended early; empty where all was looked at.
  public var cuts: [Cut]

  /// What is known of one range.
  public struct Answer: Hashable, Sendable {
    public var start: PhysicalAddress
    /// Inclusive.
    public var end: PhysicalAddress
    /// What the pages are, neighbours that are alike joined.
    public var pages: [Pages]
    public var reaches: [Reach]

    public init(
      start: PhysicalAddress, end: PhysicalAddress, pages: [Pages], reaches: [Reach]
    ) {
      self.start = start
      self.end = end
      self.pages = pages
      self.reaches = reaches
    }
  }

  /// Pages of one kind.
  public struct Pages: Hashable, Sendable {
    public var start: PhysicalAddress
    /// Inclusive.
    public var end: PhysicalAddress
    public var kind: PageState.Kind
    public var detail: String?

    public init(
      start: PhysicalAddress, end: PhysicalAddress, kind: PageState.Kind, detail: String?
    ) {
      self.start = start
      self.end = end
      self.kind = kind
      self.detail = detail
    }
  }

  public init(
    dump: DumpSummary, ranges: [Answer], tablesComplete: Bool = true, cuts: [Cut] = [],
    tool: Tool = .current
  ) {
    self.tablesComplete = tablesComplete
    self.cuts = cuts
    self.tool = tool
    self.dump = dump
    self.ranges = ranges
  }
}

extension OwnersDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(OwnersDocument.self, verb: "owners")
  public var body: DocumentBody { DocumentBody(self) }

  static var rowName: String { "owners" }
  static var rowMeaning: String {
    "Which devices can reach physical addresses, and what the pages are."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == OwnersDocument {
    fields.constant("schema", "iommuscope-owners/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("dump", \.dump, "The dump that was read.")
    fields.field("ranges", \.ranges, "In the order in which the ranges were given.")
    fields.field("cuts", \.cuts, Cut.meaning, since: "0.1.0")
    fields.field(
      "tablesComplete", \.tablesComplete,
      "Whether every table could be read; where not, more devices may reach the ranges.",
      since: "0.1.0")
  }
}
