// SPDX-License-Identifier: Apache-2.0

public import Faults
public import Memory
public import RemappingState

/// The document of `faults`.
public struct FaultsDocument: Hashable, Sendable {
  public var tool: Tool
  public var dump: DumpSummary
  /// The log that was read; `null` where lines were given.
  public var log: Log?
  /// The lines that were given; `null` where the log was read.
  public var given: Given?
  /// By first occurrence.
  public var faults: [FaultExplanation]
  /// Other messages about units, by first occurrence.
  public var unitMessages: [UnitExplanation]

  /// What was read.
  public struct Log: Hashable, Sendable {
    public var messages: Int
    /// Faults in it, each counted.
    public var faults: Int
    /// Other messages about units, each counted.
    public var unitMessages: Int
    /// Fault messages that the kernel says it left out.
    public var suppressed: Int
    /// Why the log, or a part of it, could not be read.
    public var problem: String?
  }

  /// What was given.
  public struct Given: Hashable, Sendable {
    /// Lines that are not blank.
    public var lines: Int
    public var faults: Int
    public var unitMessages: Int
    public var suppressed: Int
    /// Reasons of faults whose own line is missing.
    public var reasonsAlone: Int
    /// Lines that tell nothing about a unit.
    public var others: Int
  }

  /// How many came when; `nil` where fewer than two moments are known.
  public var overTime: FaultsOverTime?
  /// Where work ended early; empty where all was looked at.
  public var cuts: [Cut]

  public init(
    dump: DumpSummary, log: FaultLog, isGiven: Bool, faults: [FaultExplanation],
    unitMessages: [UnitExplanation], cuts: [Cut] = [], tool: Tool = .current
  ) {
    self.cuts = cuts
    self.tool = tool
    self.dump = dump
    self.faults = faults
    self.unitMessages = unitMessages
    overTime = FaultsOverTime(log.times)
    let messages = log.units.reduce(0) { $0 + $1.count }
    if isGiven {
      given = Given(
        lines: log.messages, faults: log.faults, unitMessages: messages,
        suppressed: log.suppressed, reasonsAlone: log.reasonsAlone, others: log.others)
    } else {
      self.log = Log(
        messages: log.messages, faults: log.faults, unitMessages: messages,
        suppressed: log.suppressed, problem: log.problem)
    }
  }
}

extension FaultsDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(FaultsDocument.self, verb: "faults")
  public var body: DocumentBody { DocumentBody(self) }

  static var rowName: String { "faults" }
  static var rowMeaning: String {
    "What a log or a text tells of remapping units, held against everything that the dump knows."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultsDocument {
    fields.constant("schema", "iommuscope-faults/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("dump", \.dump, "The dump that was read.")
    fields.field("log", \.log, "The log that was read; null where lines were given.")
    fields.field("given", \.given, "The lines that were given; null where the log was read.")
    fields.field(
      "faults", \.faults,
      "By first occurrence; faults that are alike or of neighbouring pages are one row.")
    fields.field(
      "unitMessages", \.unitMessages,
      "Other messages about units, by first occurrence; those that are alike are one row.")
    fields.field(
      "overTime", \.overTime,
      "How many refused requests came when; null where fewer than two moments are known.",
      since: "0.1.0")
    fields.field("cuts", \.cuts, Cut.meaning, since: "0.1.0")
  }
}
