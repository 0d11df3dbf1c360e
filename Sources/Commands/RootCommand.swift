// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The command `iommuscope` itself, which only has verbs.
struct RootCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "iommuscope",
    abstract: "Tells the state of Intel VT-d remapping units in a Linux crash dump.",
    discussion: """
      The result goes to standard output, everything else to standard error. Exit status: 0 done, \
      also when parts of the dump were missing and the report says so; 1 something was found that \
      was asked for (--fail-on), or diff found a difference; 2 could not be done; 64 wrong usage.
      """,
    version: LibraryVersions.own,
    subcommands: [
      ReportCommand.self, InheritCommand.self, DiffCommand.self, TranslateCommand.self,
      OwnersCommand.self, FaultsCommand.self, HistoryCommand.self, TablesCommand.self,
      CarveCommand.self, SurveyCommand.self, ExtractCommand.self, CaptureCommand.self,
      SchemaCommand.self,
    ])
}
