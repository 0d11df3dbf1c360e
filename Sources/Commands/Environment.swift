// SPDX-License-Identifier: Apache-2.0

public import Report
public import Session

/// Everything a command may touch of the world around it, so that tests can pass their own.
public struct Environment {
  public var standardOutput: any ByteSink
  public var standardError: any ByteSink
  public var outputIsTerminal: Bool
  public var errorIsTerminal: Bool
  /// Nanoseconds that a run takes before a terminal is told what it is doing.
  public var progressDelay: UInt64 = 0
  /// Makes ready a pager for a result that turns out longer than the screen; `nil` where there is none.
  public var makePager: () -> (any PagerOutput)? = { nil }
  /// The process's environment variables.
  public var variables: [String: String]
  public var evidence: any EvidenceSource
  /// Whom to ask for debug information that is not on this machine; `nil` for nobody.
  public var debugServer: (any DebugFileServer)?
  /// The program itself, for verbs that run it again; `nil` where they must do all in one process.
  public var program: String?
  /// Confines the process to what a command line needs, and says how; `nil` where it cannot.
  public var confine: ([String]) -> String?

  public init(
    standardOutput: any ByteSink, standardError: any ByteSink, outputIsTerminal: Bool = false,
    errorIsTerminal: Bool = false, variables: [String: String] = [:],
    evidence: any EvidenceSource = DumpReader(), debugServer: (any DebugFileServer)? = nil,
    program: String? = nil,
    confine: @escaping ([String]) -> String? = { _ in nil }
  ) {
    self.standardOutput = standardOutput
    self.standardError = standardError
    self.outputIsTerminal = outputIsTerminal
    self.errorIsTerminal = errorIsTerminal
    self.variables = variables
    self.evidence = evidence
    self.debugServer = debugServer
    self.program = program
    self.confine = confine
  }
}
