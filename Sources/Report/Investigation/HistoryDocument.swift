// SPDX-License-Identifier: Apache-2.0

public import History
public import RemappingState

/// The document of `history`.
public struct HistoryDocument: Encodable, Hashable, Sendable {
  public private(set) var schema = "iommuscope-history/1"
  public var tool: Tool
  public var dump: DumpSummary
  /// Trace events by time.
  public var events: [TraceEvent]
  /// What of the trace ring could not be read.
  public var problems: [String]
  /// By unit, oldest first; they carry no time.
  public var invalidations: [PastInvalidation]

  public init(
    dump: DumpSummary, events: [TraceEvent], problems: [String],
    invalidations: [PastInvalidation], tool: Tool = .current
  ) {
    self.tool = tool
    self.dump = dump
    self.events = events
    self.problems = problems
    self.invalidations = invalidations
  }
}
