// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
internal import Files
import Report
import Session

/// The program behind `main`.
public enum Iommuscope {
  /// Help is wrapped like reports, whatever the terminal, so that it can be quoted.
  private static let columns = 100

  /// Runs one command line, without the program's name, and never ends the process.
  public static func run(_ arguments: [String], in environment: Environment) -> Outcome {
    var console = Console(environment)
    do {
      var command = try RootCommand.command(for: arguments)
      guard let verb = command as? any Verb else {
        guard !(command is RootCommand) else {
          // No verb at all: the help, but as an error.
          try? environment.standardError.write(
            Array((RootCommand.helpMessage(columns: columns) + "\n").utf8))
          return .usage
        }
        // One of the parser's own, such as `help`; it throws what is to be printed.
        try command.run()
        return .done
      }
      console = verb.messages.console(in: environment)
      defer { console.endProgress() }
      // Before the process is confined, which cannot start programs any more.
      let pager = verb.isPaged ? environment.makePager() : nil
      // The reader of a long result leaves the pager before anything else is said.
      defer { pager?.finish() }
      var environment = environment
      if let pager { environment.standardOutput = pager }
      if verb.messages.sandbox ?? true, !verb.runsPrograms {
        let means = environment.confine(arguments)
        if let means { console.detail("confined: \(means)") }
        guard means != nil || verb.messages.sandbox != true else {
          throw CommandFailure("this kernel does not let the process confine itself (--no-sandbox)")
        }
      }
      let outcome = try verb.run(in: environment, console: console)
      // What was written before the loss was noticed cannot be taken back; the status can.
      try CommandFiles.checkInputs(arguments)
      for file in FileMapping.unreadableFiles where arguments.contains(file) {
        console.warning("\(file): parts could not be read; its disk fails")
      }
      return outcome
    } catch let failure as CommandFailure {
      console.error(failure.description)
      return .failed
    } catch let failure as SessionError {
      console.error(failure.description)
      for line in failure.details { console.error("  " + line) }
      return .failed
    } catch let failure as OutputError {
      console.error(failure.description)
      return .failed
    } catch {
      return end(with: error, in: environment, console: console)
    }
  }

  /// Prints what the argument parser threw: help, version, completions, or wrong usage.
  private static func end(
    with error: any Error, in environment: Environment, console: Console
  ) -> Outcome {
    let message = RootCommand.fullMessage(for: error, columns: columns)
    // A message of wrong usage repeats what was given, or names of the dump.
    let text = Array(
      Escaping.terminalLines(
        (message == LibraryVersions.own ? LibraryVersions.text : message) + "\n"
      ).utf8)
    switch RootCommand.exitCode(for: error) {
    case .success:
      do {
        try environment.standardOutput.write(text)
      } catch OutputError.closed {
      } catch {
        console.error(error.description)
        return .failed
      }
      return .done
    case .validationFailure:
      try? environment.standardError.write(text)
      return .usage
    default:
      console.error("\(error)")
      return .failed
    }
  }
}
