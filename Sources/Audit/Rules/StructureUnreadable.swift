// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The kernel's structures are in the dump, unless its filter, its length or its state say why not.
///
/// Among them is `copied_tables`: without it nothing tells which contexts still are those of a kernel
/// that ran before.
///
/// Source: `Absence`. Severity: warning; what hangs on the structure is unknown.
struct StructureUnreadable: AuditRule {
  static let id = "kernel.unreadable"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.kernel]

  func check(_ state: RemappingState) -> [Finding] {
    let lost = state.observations.filter {
      $0.kind == .unreadable && !$0.isFilesFault && $0.isKernelStructure
    }
    guard let first = lost.first else { return [] }
    return [
      finding(
        .unread(lost.subjects),
        evidence: [Evidence(what: first.subject, address: first.address)])
    ]
  }
}

extension Finding.Message {
  fileprivate static func unread(_ subjects: String) -> Self {
    "kernel structures could not be read: \(subjects)"
  }
}
