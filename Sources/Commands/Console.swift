// SPDX-License-Identifier: Apache-2.0

import Report
public import Session

/// Standard error: everything that is not the result.
public final class Console: SessionProgress {
  private let sink: any ByteSink
  private let isQuiet: Bool
  private let isVerbose: Bool
  private let isTerminal: Bool
  /// Characters of the progress line that stands on the terminal now.
  private var progressWidth = 0

  init(_ environment: Environment, isQuiet: Bool = false, isVerbose: Bool = false) {
    sink = environment.standardError
    isTerminal = environment.errorIsTerminal
    self.isQuiet = isQuiet
    self.isVerbose = isVerbose
  }

  /// Why the command ends without its result.
  public func error(_ message: String) {
    line("iommuscope: " + message)
  }

  /// Something that the reader of the result should know; silent with `--quiet`.
  public func warning(_ message: String) {
    if !isQuiet { line("iommuscope: warning: " + message) }
  }

  /// What is going on and how long it took; only with `--verbose`.
  public func detail(_ message: String) {
    if isVerbose { line("iommuscope: " + message) }
  }

  /// What is being done right now; replaces itself, and only a terminal sees it.
  public func progress(_ message: String) {
    guard isTerminal, !isQuiet else { return }
    let text = String(Escaping.terminal(message).prefix(78))
    write("\r" + text + String(repeating: " ", count: max(0, progressWidth - text.utf8.count)))
    progressWidth = text.utf8.count
  }

  /// Removes the progress line, before anything else is printed.
  public func endProgress() {
    guard progressWidth > 0 else { return }
    write("\r" + String(repeating: " ", count: progressWidth) + "\r")
    progressWidth = 0
  }

  private func line(_ message: String) {
    endProgress()
    write(Escaping.terminal(message) + "\n")
  }

  private func write(_ text: String) {
    // There is nobody left to tell that standard error does not work.
    try? sink.write(Array(text.utf8))
  }
}
