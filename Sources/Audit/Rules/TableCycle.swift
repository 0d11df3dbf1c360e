// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No translation table contains itself.
///
/// Source: VT-d specification, section 3.7. Severity: error; the tables are damaged.
struct TableCycle: AuditRule {
  static let id = "domain.table-cycle"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    state.domains.compactMap { domain in
      guard let walk = domain.walk, walk.cycles > 0 else { return nil }
      return finding(
        .tableCycle(domain, walk), about: domain,
        evidence: state.evidence(.cycle, in: domain))
    }
  }
}

extension Finding.Message {
  fileprivate static func tableCycle(_ domain: Domain, _ walk: WalkSummary) -> Self {
    "the tables of \(domain.name) contain themselves in \(walk.cycles) "
      + (walk.cycles == 1 ? "place" : "places")
  }
}
