// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

extension ArgumentHelp {
  /// Of an argument that takes all files of one dump.
  static let dumps = ArgumentHelp(
    "The dump: a file, all files of a split one, a folder, or - for standard input.",
    valueName: "dump")

  /// Of an argument before others, among which the rest of a dump may stand.
  static let dumpBeforeOperands = ArgumentHelp(
    "The dump: a file, a folder, or - for standard input; further files of a split dump, and the "
      + "kernel's vmlinux, may follow.", valueName: "dump")
}
