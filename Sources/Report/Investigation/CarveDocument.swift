// SPDX-License-Identifier: Apache-2.0

public import Carving
public import Memory
public import RemappingState
import VTd

/// The document of `carve`.
public struct CarveDocument: Hashable, Sendable {
  public var tool: Tool
  public var dump: DumpSummary
  /// Pages that were looked at.
  public var pages: UInt64
  /// Those that registers point to first, then by address.
  public var roots: [Root]

  /// A page that looks like a root table.
  public struct Root: Hashable, Sendable {
    public var address: PhysicalAddress
    public var mode: String
    /// 0 to 100.
    public var score: Int
    public var reasons: [String]
    public var buses: [UInt8]
    public var devices: [PCIFunction]
    public var domainIDs: [UInt16]
    /// Top page tables.
    public var tables: [PhysicalAddress]
    public var missingTables: Int
    public var copiedContexts: Int
    /// Other roots of this list that lead to some of the same page tables: one is a copy of the
    /// other.
    public var sharesTablesWith: [PhysicalAddress]
    /// Whether a unit's own register points here.
    public var isRegistered: Bool
  }

  /// Where work ended early; empty where all was looked at.
  public var cuts: [Cut]

  public init(
    dump: DumpSummary, pages: UInt64, roots: [CarvedRoot], cuts: [Cut] = [], tool: Tool = .current
  ) {
    self.cuts = cuts
    self.tool = tool
    self.dump = dump
    self.pages = pages
    // Roots by each table that they lead to; most tables have the same ones.
    var users: [PhysicalAddress: [Int]] = [:]
    for (index, root) in roots.enumerated() {
      for table in root.tables { users[table, default: []].append(index) }
    }
    self.roots = roots.enumerated().map { index, root in
      let sharing = Set(Set(root.tables.lazy.map { users[$0] ?? [] }).joined())
        .subtracting([index])
      return Root(
        address: root.address, mode: root.mode.rawValue, score: root.score,
        reasons: root.reasons, buses: root.buses,
        devices: root.sourceIDs.map {
          PCIFunction(bus: UInt8($0 >> 8), devfn: UInt8(truncatingIfNeeded: $0))
        }, domainIDs: root.domainIDs, tables: root.tables, missingTables: root.missingTables,
        copiedContexts: root.copiedContexts,
        sharesTablesWith: sharing.sorted().map { roots[$0].address },
        isRegistered: root.isRegistered)
    }
  }
}

extension CarveDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(CarveDocument.self, verb: "carve")
  public var body: DocumentBody { DocumentBody(self) }

  static var rowName: String { "carve" }
  static var rowMeaning: String { "Pages of a dump that look like root tables." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == CarveDocument {
    fields.constant("schema", "iommuscope-carve/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("dump", \.dump, "The dump that was read.")
    fields.field("pages", \.pages, "Pages that were looked at.")
    fields.field("roots", \.roots, "What was found: where registers point first, then by address.")
    fields.field("cuts", \.cuts, Cut.meaning, since: "0.1.0")
  }
}
