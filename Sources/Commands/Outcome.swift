// SPDX-License-Identifier: Apache-2.0

/// How the process ends; nothing else is ever returned.
public enum Outcome: Int32, CaseIterable, Sendable {
  /// Done, also when parts of the dump were missing and the report says so.
  case done = 0
  /// Something was found that the caller asked to be told about (`--fail-on`), or two states differ.
  case found = 1
  /// Could not be done.
  case failed = 2
  /// Wrong usage; the number is `EX_USAGE` of `sysexits.h`.
  case usage = 64
}

/// Why a command could not do its work, in a sentence without full stop.
public struct CommandFailure: Error, Hashable, Sendable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) {
    self.description = description
  }
}
