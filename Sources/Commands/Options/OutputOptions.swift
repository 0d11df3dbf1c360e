// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Report

/// Where a result goes.
struct DestinationOptions: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "Write the result to a file, whole or not at all, instead of standard output.",
      valueName: "file"),
    completion: .file())
  var output: String?

  /// Lets `body` write the result; never over one of `inputs`.
  ///
  /// A reader that has gone is no error.
  func write(
    in environment: Environment, keeping inputs: [String] = [],
    _ body: (any ByteSink) throws -> Void
  ) throws {
    do {
      guard let output else {
        try CommandFiles.checkInputs()
        try body(environment.standardOutput)
        return
      }
      try CommandFiles.write(output, keeping: inputs, body)
    } catch OutputError.closed {}
  }
}

extension DestinationOptions {
  /// Lets `body` write to standard output. A reader that has gone is no error.
  static func toStandardOutput(
    in environment: Environment, _ body: (any ByteSink) throws -> Void
  ) throws {
    do { try body(environment.standardOutput) } catch OutputError.closed {}
  }
}

/// What a result looks like.
struct FormatOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Form of the result.", valueName: "format"))
  var format: OutputFormat = .text

  @Option(
    help: ArgumentHelp(
      "Colour in text; auto colours on a terminal, unless NO_COLOR is set.", valueName: "when"))
  var color: ColorChoice = .auto

  func useColor(in environment: Environment, toFile: Bool) -> Bool {
    color.isOn(in: environment, toFile: toFile)
  }
}

enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
  case text
  case json
}

enum ColorChoice: String, CaseIterable, ExpressibleByArgument {
  case auto
  case always
  case never

  func isOn(in environment: Environment, toFile: Bool) -> Bool {
    switch self {
    case .always: true
    case .never: false
    case .auto:
      environment.outputIsTerminal && !toFile
        && (environment.variables["NO_COLOR"] ?? "").isEmpty
        && environment.variables["TERM"] != "dumb"
    }
  }
}
