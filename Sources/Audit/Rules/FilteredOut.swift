// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The dump's filter left the state of the remapping units alone.
///
/// A makedumpfile that is older than the kernel takes compound and slab pages for free ones. Tables
/// that translate are `TablesUnreadable`'s: a filter removes them only if they were free.
///
/// Source: makedumpfile's `-d`; `Absence.excluded`. Severity: warning; the report has gaps that the
/// crashed machine did not have.
struct FilteredOut: AuditRule {
  static let id = "dump.filtered-out"
  static let severity = Finding.Severity.warning

  func check(_ state: RemappingState) -> [Finding] {
    let lost = state.observations.filter {
      $0.kind == .unreadable && !$0.isAboutTheFile && $0.cause == .excluded
        && !$0.isTranslationTable
    }
    guard let first = lost.first else { return [] }
    return [
      finding(
        .removed(lost.subjects),
        evidence: [Evidence(what: first.subject, address: first.address)])
    ]
  }
}

extension Finding.Message {
  fileprivate static func removed(_ subjects: String) -> Self {
    "the dump's filter removed state: \(subjects); dump again with a makedumpfile that knows this"
      + " kernel, or with a lower dump level"
  }
}
