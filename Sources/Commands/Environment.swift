// SPDX-License-Identifier: Apache-2.0

public import Report

/// Everything a command may touch of the world around it, so that tests can pass their own.
public struct Environment {
  public var standardOutput: any ByteSink
  public var standardError: any ByteSink
  public var outputIsTerminal: Bool
  public var errorIsTerminal: Bool
  /// The process's environment variables.
  public var variables: [String: String]
  public var evidence: any EvidenceSource

  public init(
    standardOutput: any ByteSink, standardError: any ByteSink, outputIsTerminal: Bool = false,
    errorIsTerminal: Bool = false, variables: [String: String] = [:],
    evidence: any EvidenceSource = DumpReader()
  ) {
    self.standardOutput = standardOutput
    self.standardError = standardError
    self.outputIsTerminal = outputIsTerminal
    self.errorIsTerminal = errorIsTerminal
    self.variables = variables
    self.evidence = evidence
  }
}
