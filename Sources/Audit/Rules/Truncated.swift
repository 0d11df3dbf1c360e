// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The dump's file is whole.
///
/// Source: `Absence.truncated`. Severity: warning; what lies behind the end of the file is unknown.
struct Truncated: AuditRule {
  static let id = "dump.truncated"
  static let severity = Finding.Severity.warning

  func check(_ state: RemappingState) -> [Finding] {
    let lost = state.observations.filter {
      $0.kind == .unreadable && !$0.isAboutTheFile && $0.cause == .truncated
    }
    guard let first = lost.first else { return [] }
    return [
      finding(
        .cutOff(lost.subjects),
        evidence: [Evidence(what: first.subject, address: first.address)])
    ]
  }
}

extension Finding.Message {
  fileprivate static func cutOff(_ subjects: String) -> Self {
    "the dump's file ends too early: \(subjects) could not be read"
  }
}
