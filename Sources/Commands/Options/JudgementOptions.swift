// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import RemappingState

/// When a report counts as bad news.
struct JudgementOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Exit with 1 if there is a finding of this severity or a worse one.", valueName: "severity"))
  var failOn: FailureThreshold?
}

/// The value of `--fail-on`.
enum FailureThreshold: String, CaseIterable, ExpressibleByArgument {
  case error
  case warning

  func covers(_ severity: Finding.Severity) -> Bool {
    switch self {
    case .error: severity == .error
    case .warning: severity == .error || severity == .warning
    }
  }
}
