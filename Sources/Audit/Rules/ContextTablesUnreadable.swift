// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every root, context and PASID table that an entry points to can be read.
///
/// Those that the dump's filter removed, that a short file lacks and that do not decode are other
/// rules'.
///
/// Source: VT-d specification, section 3.4; `Absence`. Severity: warning; a device behind such a
/// table may have a context or none.
struct ContextTablesUnreadable: AuditRule {
  static let id = "context.tables-unreadable"
  static let severity = Finding.Severity.warning

  func check(_ state: RemappingState) -> [Finding] {
    state.units.map(\.name).compactMap { unit in
      let lost = state.observations.filter {
        $0.kind == .unreadable && $0.unit == unit && $0.isContextStructure && !$0.isFilesFault
      }
      guard !lost.isEmpty else { return nil }
      return finding(
        .unread(lost), unit: unit, evidence: lost.prefix(4).map(\.evidence))
    }
  }
}

extension Finding.Message {
  fileprivate static func unread(_ lost: [Observation]) -> Self {
    let tables = lost.count == 1 ? "1 table" : "\(lost.count) tables"
    return "\(tables) on the way to contexts could not be read: \(lost.subjects); whether devices"
      + " there have contexts is unknown"
  }
}
