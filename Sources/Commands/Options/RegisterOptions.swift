// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Session

/// Registers of the units, which no dump holds.
struct RegisterOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Registers of the units, read beside the dump: a report that capture --registers wrote, or "
        + "QEMU's offsets and values. Root pointers that the dump lacks are taken from them.",
      valueName: "file"),
    completion: .file())
  var registers: String?

  /// The request with the registers, read before the dump is.
  func added(to request: DumpRequest) throws(CommandFailure) -> DumpRequest {
    try Self.added(registers, to: request)
  }

  /// The request with the registers of a file, if there is one.
  static func added(
    _ registers: String?, to request: DumpRequest
  ) throws(CommandFailure) -> DumpRequest {
    guard let registers else { return request }
    var request = request
    request.registers = try RegisterFile.registers(registers)
    request.registerFile = registers
    return request
  }
}
