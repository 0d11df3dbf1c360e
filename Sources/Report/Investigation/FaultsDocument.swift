// SPDX-License-Identifier: Apache-2.0

public import Faults
public import RemappingState

/// The document of `faults`.
public struct FaultsDocument: Encodable, Hashable, Sendable {
  public private(set) var schema = "iommuscope-faults/1"
  public var tool: Tool
  public var dump: DumpSummary
  /// The log that was read; `null` where a line was given.
  public var log: Log?
  /// By first occurrence.
  public var faults: [FaultExplanation]

  /// What was read.
  public struct Log: Encodable, Hashable, Sendable {
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
