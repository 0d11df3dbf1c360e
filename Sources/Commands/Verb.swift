// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// A command of the tool that does its work in a given environment.
protocol Verb: ParsableCommand {
  var messages: MessageOptions { get }

  func run(in environment: Environment, console: Console) throws -> Outcome
}
