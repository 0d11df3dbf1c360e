// SPDX-License-Identifier: Apache-2.0

public import History
public import Memory
public import RemappingState

/// The document of `history`.
public struct HistoryDocument: Hashable, Sendable {
  public var tool: Tool
  public var dump: DumpSummary
  /// What the trace ring covers; `nil` where it was not found.
  public var ring: RingCoverage?
  public var selection: HistorySelection
  /// Events that a selection by device left out because nothing tells whose they are.
  public var unattributed: Int
  /// Drivers by device, for the text.
  public var names: EventNames?
  /// Trace events by time.
  public var events: [TraceEvent]
  /// What of the trace ring could not be read.
  public var problems: [String]
  /// Where the invalidation queues stand, by unit.
  public var queues: [QueueAccount]
  /// By unit, oldest first; they carry no time.
  public var invalidations: [PastInvalidation]

  /// Where work ended early; empty where all was looked at.
  public var cuts: [Cut]

  public init(
    dump: DumpSummary, ring: RingCoverage? = nil, events: [TraceEvent], problems: [String],
    queues: [QueueAccount] = [], invalidations: [PastInvalidation],
    selection: HistorySelection = HistorySelection(),
    names: EventNames? = nil, cuts: [Cut] = [], tool: Tool = .current
  ) {
    self.cuts = cuts
    self.ring = ring
    self.selection = selection
    self.names = names
    let chosen = selection.events(of: events, ring)
    unattributed = chosen.unattributed
    self.tool = tool
    self.dump = dump
    self.events = chosen.chosen
    self.problems = problems
    self.queues = queues
    self.invalidations = selection.invalidations(invalidations)
  }
}

extension HistoryDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(HistoryDocument.self, verb: "history")
  public var body: DocumentBody { DocumentBody(self) }

  static var rowName: String { "history" }
  static var rowMeaning: String { "What the units were told before the crash." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == HistoryDocument {
    fields.constant("schema", "iommuscope-history/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("dump", \.dump, "The dump that was read.")
    fields.field(
      "ring", \.ring, "What the kernel's trace ring covers; null where it was not found.")
    fields.field("selection", \.selection, "Which of the past was asked for.")
    fields.field("events", \.events, "Trace events, by time.")
    fields.field(
      "unattributed", \.unattributed,
      "Events that a selection by device left out because nothing tells whose they are.", .count)
    fields.field("problems", \.problems, "What of the trace ring could not be read.")
    fields.field("queues", \.queues, "Where the invalidation queues stand, by unit.")
    fields.field(
      "invalidations", \.invalidations,
      "Descriptors that the invalidation queues still hold, by unit, oldest first; they carry no time."
    )
    fields.field("cuts", \.cuts, Cut.meaning, since: "0.1.0")
  }
}
