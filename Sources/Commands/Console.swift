// SPDX-License-Identifier: Apache-2.0

import Report
public import Session

/// Standard error: everything that is not the result.
public final class Console: SessionProgress {
  private let line: ProgressLine
  private let isQuiet: Bool
  private let isVerbose: Bool
  private let isTerminal: Bool

  init(_ environment: Environment, isQuiet: Bool = false, isVerbose: Bool = false) {
    line = ProgressLine(on: environment.standardError, after: environment.progressDelay)
    isTerminal = environment.errorIsTerminal
    self.isQuiet = isQuiet
    self.isVerbose = isVerbose
  }

  /// Why the command ends without its result.
  public func error(_ message: String) {
    line.write("iommuscope: " + message)
  }

  /// Something that the reader of the result should know; silent with `--quiet`.
  public func warning(_ message: String) {
    if !isQuiet { line.write("iommuscope: warning: " + message) }
  }

  /// What is going on and how long it took; only with `--verbose`.
  public func detail(_ message: String) {
    if isVerbose { line.write("iommuscope: " + message) }
  }

  /// What is being done right now; replaces itself, and only a terminal sees it, once the run has taken
  /// long enough for somebody to wonder.
  public func progress(_ message: String) {
    guard isTerminal, !isQuiet else { return }
    line.show(message)
  }

  /// Removes the progress line, before anything else is printed.
  public func endProgress() { line.clear() }
}
