// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The command `iommuscope` itself, which only has verbs.
struct RootCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "iommuscope",
    abstract: "What the Intel VT-d remapping units in a Linux crash dump were doing.",
    discussion: """
      The result goes to standard output, everything else to standard error. Exit status: 0 done, \
      even if parts of the dump were missing (the report says so); 1 there is a finding that --fail-on \
      asks about, or a difference that diff found; 2 it could not be done; 64 wrong usage.
      """,
    version: LibraryVersions.own,
    subcommands: [
      ReportCommand.self, InheritCommand.self, DiffCommand.self, TranslateCommand.self,
      OwnersCommand.self, FaultsCommand.self, HistoryCommand.self, TablesCommand.self,
      CarveCommand.self, SurveyCommand.self, ExtractCommand.self, CaptureCommand.self,
      SchemaCommand.self,
    ])
}

extension RootCommand {
  /// The command that a command line asks for, with its arguments.
  ///
  /// By reflection the parser looks through all options of a verb once to learn whether it takes the rest of
  /// the line as it is, and once more to parse that rest, which is a good part of a short run. A line that
  /// begins with a verb's name goes to that verb directly; what it cannot take the whole tree is asked about,
  /// so that messages name the program and its verbs.
  static func command(for arguments: [String]) throws -> any ParsableCommand {
    if let name = arguments.first,
      let verb = configuration.subcommands.first(where: { $0.configuration.commandName == name }),
      let command = try? verb.parseAsRoot(Array(arguments.dropFirst())),
      type(of: command) == verb
    {
      return command
    }
    return try parseAsRoot(arguments)
  }
}
