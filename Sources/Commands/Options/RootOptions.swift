// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Memory
import RemappingState

/// A root table to start from, without any symbol.
struct RootOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Start from the root table at this physical address (or from a value of RTADDR), without \
      symbols: ADDRESS, ADDRESS,scalable or ADDRESS,extended.
      """, valueName: "address"),
    transform: RootArgument.init)
  var root: RootArgument?

  var roots: [RootTable] {
    root.map { [RootTable(address: $0.address, mode: $0.mode, origin: .given)] } ?? []
  }
}

/// The value of `--root`.
struct RootArgument: Hashable, Sendable {
  var address: PhysicalAddress
  var mode: TableMode
}

extension RootArgument {
  /// Reads `0x26c3000`, `26c3000`, `0x26c3400` (a register value of scalable mode) or
  /// `0x26c3000,scalable`.
  init(_ text: String) throws {
    let parts = text.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let word = UInt64(address: first) else {
      throw ValidationError(
        "'--root' is a hexadecimal physical address, such as 0x26c3000,scalable; have '\(text)'.")
    }
    address = PhysicalAddress(word & ~0xfff)
    if parts.count == 2 {
      guard let mode = TableMode(rawValue: String(parts[1])), word & 0xfff == 0 else {
        throw ValidationError(
          "'--root' takes legacy, extended or scalable after a page-aligned address; "
            + "have '\(text)'.")
      }
      self.mode = mode
      return
    }
    switch word & 0xfff {
    case 0: mode = .legacy
    case 0x400: mode = .scalable
    case 0x800: mode = .extended
    default:
      throw ValidationError(
        "'--root' is page-aligned, or a value of RTADDR with bits 11:10 telling the mode; "
          + "have '\(text)'.")
    }
  }
}

extension UInt64 {
  /// A hexadecimal address as people write it: with or without `0x`.
  init?(address text: some StringProtocol) {
    let digits = text.hasPrefix("0x") || text.hasPrefix("0X") ? text.dropFirst(2) : text[...]
    // The integer parser would accept a sign here.
    guard let first = digits.first, first.isHexDigit else { return nil }
    self.init(digits, radix: 16)
  }
}

/// A value of `--device`.
struct DeviceArgument: Hashable, Sendable {
  var function: PCIFunction
}

extension DeviceArgument: ExpressibleByArgument {
  init?(argument: String) {
    guard let function = PCIFunction(argument) else { return nil }
    self.function = function
  }
}
