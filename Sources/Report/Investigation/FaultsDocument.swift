// SPDX-License-Identifier: Apache-2.0

public import Faults
public import RemappingState

/// The document of `faults`.
public struct FaultsDocument: Hashable, Sendable {
  public var tool: Tool
  public var dump: DumpSummary
  /// The log that was read; `null` where a line was given.
  public var log: Log?
  /// By first occurrence.
  public var faults: [FaultExplanation]

  /// What was read.
  public struct Log: Hashable, Sendable {
    public var messages: Int
    /// Faults in it, each counted.
    public var faults: Int
    /// Fault messages that the kernel says it left out.
    public var suppressed: Int
    /// Why the log, or a part of it, could not be read.
    public var problem: String?
  }

  public init(
    dump: DumpSummary, log: FaultLog?, faults: [FaultExplanation], tool: Tool = .current
  ) {
    self.tool = tool
    self.dump = dump
    self.log = log.map { log in
      Log(
        messages: log.messages, faults: log.records.reduce(0) { $0 + $1.count },
        suppressed: log.suppressed, problem: log.problem)
    }
    self.faults = faults
  }
}

extension FaultsDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(FaultsDocument.self, verb: "faults")

  public func writeJSON(to sink: any ByteSink) throws(OutputError) { try writeDocument(to: sink) }

  static var rowName: String { "faults" }
  static var rowMeaning: String { "DMA faults, each held against everything that the dump knows." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultsDocument {
    fields.constant("schema", "iommuscope-faults/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("dump", \.dump, "The dump that was read.")
    fields.field("log", \.log, "The log that was read; null where a line was given.")
    fields.field("faults", \.faults, "By first occurrence; faults that are alike are one row.")
  }
}
