// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The kernel's structures do not contradict themselves.
///
/// A list that was being changed at the moment of the crash may look damaged.
///
/// Source: `lib/list_debug.c` checks alike. Severity: warning; memory was overwritten, or the crash
/// came in the middle of an update.
struct StructureMalformed: AuditRule {
  static let id = "kernel.malformed"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.kernel]

  func check(_ state: RemappingState) -> [Finding] {
    let lost = state.observations.filter {
      $0.kind == .malformed && !$0.isFirmwareStructure && !$0.isTranslationTable
    }
    guard let first = lost.first else { return [] }
    return [
      finding(
        .contradictory(lost.subjects),
        evidence: [Evidence(what: first.subject, address: first.address)])
    ]
  }
}

extension Finding.Message {
  fileprivate static func contradictory(_ subjects: String) -> Self {
    "kernel structures contradict themselves: \(subjects)"
  }
}
