// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// A command of the tool that does its work in a given environment.
protocol Verb: ParsableCommand {
  var messages: MessageOptions { get }

  /// Whether the verb runs other programs, which a confined process cannot; those confine themselves.
  var runsPrograms: Bool { get }

  func run(in environment: Environment, console: Console) throws -> Outcome
}

extension Verb {
  var runsPrograms: Bool { false }
}
