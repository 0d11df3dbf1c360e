// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// How talkative standard error is, and how confined the process.
struct MessageOptions: ParsableArguments {
  @Flag(name: [.short, .long], help: "Print no warnings and no progress, only errors.")
  var quiet = false

  @Flag(name: [.short, .long], help: "Print what is being done.")
  var verbose = false

  @Flag(
    inversion: .prefixedNo,
    help:
      "Confine the process to what reading a dump needs (seccomp, Landlock); on where the kernel can."
  )
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
