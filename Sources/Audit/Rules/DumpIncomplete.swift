// SPDX-License-Identifier: Apache-2.0

import RemappingState

/// The dump's file is what its own headers promise.
///
/// Source: the readers of `DumpFile`. Severity: warning; parts of the report may be missing.
struct DumpIncomplete: AuditRule {
  static let id = "dump.incomplete"
  static let severity = Finding.Severity.warning

  func check(_ state: RemappingState) -> [Finding] {
    state.observations.filter(\.isAboutTheFile).prefix(8).map { finding(.incomplete($0.detail)) }
  }
}

extension Finding.Message {
  fileprivate static func incomplete(_ detail: String) -> Self {
    "the dump is not whole: \(detail)"
  }
}
