// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Memory
import Report

/// Where a result goes.
struct DestinationOptions: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "Write the result to this file, which appears once it is complete, instead of standard output.",
      valueName: "file"),
    completion: .file())
  var output: String?

  @Flag(help: "Never show text that is longer than the terminal through a pager.")
  var noPager = false

  var isPaged: Bool { output == nil && !noPager }

  /// Lets `body` write the result; never over one of `inputs`.
  ///
  /// A reader that has gone is no error.
  ///
  /// - Parameters:
  ///   - work: what the result may be long; text that would be longer ends with a line that says so,
  ///     a document that would be is an error.
  ///   - isText: whether a part of the result is worth something.
  func write(
    in environment: Environment, keeping inputs: [String] = [], paidBy work: WorkBudget? = nil,
    isText: Bool = false, _ body: (any ByteSink) throws -> Void
  ) throws {
    func bounded(_ sink: any ByteSink) throws {
      // Nothing is granted where no dump was read.
      guard let work, work.limit(.output) > 0 else { return try body(sink) }
      do {
        try body(BoundedSink(sink, work))
      } catch OutputError.spent {
        let limit = work.limit(.output)
        guard isText else {
          throw CommandFailure(
            "the document has more than \(limit) bytes, which is all that the run may write"
              + " (--max-output)")
        }
        let end =
          "\n# The result ends here: \(limit) bytes are all that the run may write (--max-output).\n"
        try sink.write(Array(end.utf8))
      }
    }
    do {
      guard let output else {
        try CommandFiles.checkInputs(inputs)
        try bounded(environment.standardOutput)
        return
      }
      try CommandFiles.write(output, keeping: inputs, bounded)
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
struct FormatOptions<Format: FormatChoice>: ParsableArguments {
  @Option(help: ArgumentHelp("Form of the result.", valueName: "format"))
  var format: Format = .text

  @Option(
    help: ArgumentHelp(
      "Colour in text; auto colours on a terminal, unless NO_COLOR is set.", valueName: "when"))
  var color: ColorChoice = .auto

  func useColor(in environment: Environment, toFile: Bool) -> Bool {
    color.isOn(in: environment, toFile: toFile)
  }
}

extension DestinationOptions {
  /// Writes a document in the form that was asked for.
  ///
  /// - Parameters:
  ///   - work: what the result may be long.
  ///   - text: writes the text, with colour or without.
  ///   - html: writes a page, for verbs that offer it.
  ///   - sarif: writes the results as SARIF, for verbs that offer it.
  ///   - trace: writes the events for a viewer of traces, for verbs that offer it.
  func write(
    _ document: some Document, as form: FormatOptions<some FormatChoice>,
    in environment: Environment, keeping inputs: [String], paidBy work: WorkBudget? = nil,
    text: (_ sink: any ByteSink, _ color: Bool) throws -> Void,
    html: ((_ sink: any ByteSink) throws -> Void)? = nil,
    sarif: ((_ sink: any ByteSink) throws -> Void)? = nil,
    trace: ((_ sink: any ByteSink) throws -> Void)? = nil
  ) throws {
    try write(
      in: environment, keeping: inputs, paidBy: work, isText: form.format.output == .text
    ) { sink in
      switch form.format.output {
      case .text: try text(sink, form.useColor(in: environment, toFile: output != nil))
      case .json: try document.writeJSON(to: sink)
      case .ndjson: try document.writeLines(to: sink)
      case .html: try html?(sink)
      case .sarif: try sarif?(sink)
      case .trace: try trace?(sink)
      }
    }
  }
}

/// Every form that a document can have.
enum OutputFormat: String, CaseIterable {
  case text
  case json
  /// A row a line.
  case ndjson
  /// A page of one file.
  case html
  case sarif
  /// Events for a viewer of traces.
  case trace
}

/// The forms that one verb offers, by the names of `OutputFormat`.
protocol FormatChoice: ExpressibleByArgument, CaseIterable, Sendable {
  static var text: Self { get }
  var output: OutputFormat { get }
}

/// The forms that every document has.
enum PlainFormat: String, FormatChoice {
  case text, json, ndjson

  var output: OutputFormat {
    switch self {
    case .text: .text
    case .json: .json
    case .ndjson: .ndjson
    }
  }
}

/// Those of documents that have a page.
enum PageFormat: String, FormatChoice {
  case text, json, ndjson, html

  var output: OutputFormat {
    switch self {
    case .text: .text
    case .json: .json
    case .ndjson: .ndjson
    case .html: .html
    }
  }
}

/// Those of documents with events in time.
enum EventsFormat: String, FormatChoice {
  case text, json, ndjson, trace

  var output: OutputFormat {
    switch self {
    case .text: .text
    case .json: .json
    case .ndjson: .ndjson
    case .trace: .trace
    }
  }
}

/// Those of documents with a page and findings.
enum FindingsFormat: String, FormatChoice {
  case text, json, ndjson, html, sarif

  var output: OutputFormat {
    switch self {
    case .text: .text
    case .json: .json
    case .ndjson: .ndjson
    case .html: .html
    case .sarif: .sarif
    }
  }
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
