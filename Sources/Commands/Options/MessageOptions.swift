// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// How talkative standard error is, and how confined the process.
struct MessageOptions: ParsableArguments {
  @Flag(name: [.short, .long], help: "No warnings and no progress; errors stay.")
  var quiet = false

  @Flag(name: [.short, .long], help: "Say what is being done.")
  var verbose = false

  @Flag(
    inversion: .prefixedNo,
    help: "Give up what reading a dump does not need (seccomp, Landlock); on where it works.")
  var sandbox: Bool?

  func validate() throws {
    if quiet && verbose {
      throw ValidationError("'--quiet' and '--verbose' contradict each other.")
    }
  }

  func console(in environment: Environment) -> Console {
    Console(environment, isQuiet: quiet, isVerbose: verbose)
  }
}
