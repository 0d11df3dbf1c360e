// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The dump's pages decode.
///
/// Source: `Absence.corrupt`. Severity: warning; the file was damaged after it was written.
struct Corrupt: AuditRule {
  static let id = "dump.corrupt"
  static let severity = Finding.Severity.warning

  func check(_ state: RemappingState) -> [Finding] {
    let lost = state.observations.filter {
      $0.kind == .unreadable && !$0.isAboutTheFile && $0.cause == .corrupt
    }
    guard let first = lost.first else { return [] }
    return [
      finding(
        .damaged(lost.subjects),
        evidence: [Evidence(what: first.subject, address: first.address)])
    ]
  }
}

extension Finding.Message {
  fileprivate static func damaged(_ subjects: String) -> Self {
    "the dump's file is damaged: \(subjects) could not be decoded"
  }
}
