// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// A command of the tool that does its work in a given environment.
protocol Verb: ParsableCommand {
  var messages: MessageOptions { get }

  /// Whether the verb runs other programs, which a confined process cannot; those confine themselves.
  var runsPrograms: Bool { get }

  /// Whether standard output is given text for people, which may be longer than their screen.
  var isPaged: Bool { get }

  func run(in environment: Environment, console: Console) throws -> Outcome
}

extension Verb {
  var runsPrograms: Bool { false }
  var isPaged: Bool { false }
}

/// A verb whose result is a document in one of several forms.
protocol DocumentVerb: Verb {
  associatedtype Format: FormatChoice
  var form: FormatOptions<Format> { get }
  var destination: DestinationOptions { get }
}

extension DocumentVerb {
  var isPaged: Bool { form.format.output == .text && destination.isPaged }
}
