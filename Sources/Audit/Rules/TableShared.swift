// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No table page belongs to two domains.
///
/// Rows of one kernel domain may share: it has one table for all units, and older drivers let a unit
/// with fewer levels begin below the top. Tables of processes are not judged.
///
/// Source: `pfn_to_dma_pte`, `generic_pt`. Severity: error; a page that is unmapped in one domain, or
/// a table that is freed with it, is still the other's.
struct TableShared: AuditRule {
  static let id = "domain.table-shared"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    state.observations.compactMap { observation in
      guard observation.kind == .sharedTable else { return nil }
      return finding(
        .shared(observation), unit: observation.unit, evidence: [observation.evidence])
    }
  }
}

extension Finding.Message {
  fileprivate static func shared(_ observation: Observation) -> Self {
    let id = observation.domainID.map { "domain-id \($0)" } ?? "a domain without id"
    let others = observation.count > 1 ? ", and so are \(observation.count - 1) more" : ""
    return "a \(observation.subject) of \(id) is not its own: \(observation.detail)\(others)"
  }
}
