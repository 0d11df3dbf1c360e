// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import Session

/// What every verb that reads a dump is told about it.
struct InputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The crashed kernel's vmlinux, with symbols, DWARF or both.", valueName: "file"),
    completion: .file())
  var vmlinux: String?

  @Option(
    help: ArgumentHelp("The crashed kernel's System.map.", valueName: "file"),
    completion: .file())
  var symbols: String?

  @Option(
    help: ArgumentHelp(
      "Where struct layouts come from; auto prefers DWARF, then the dump's own BTF.",
      valueName: "source"))
  var types: TypePreference = .auto

  func request(_ files: [String]) -> DumpRequest {
    DumpRequest(files: files, vmlinux: vmlinux, symbols: symbols, types: types)
  }
}

extension TypePreference: ExpressibleByArgument {}
