// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// How talkative standard error is.
struct MessageOptions: ParsableArguments {
  @Flag(name: [.short, .long], help: "No warnings and no progress; errors stay.")
  var quiet = false

  @Flag(name: [.short, .long], help: "Say what is being done.")
  var verbose = false

  func validate() throws {
    if quiet && verbose {
      throw ValidationError("'--quiet' and '--verbose' contradict each other.")
    }
  }

  func console(in environment: Environment) -> Console {
    Console(environment, isQuiet: quiet, isVerbose: verbose)
  }
}
