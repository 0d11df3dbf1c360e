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
