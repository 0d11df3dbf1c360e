// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every table of a domain is reached over one path.
///
/// Linux never shares a table page inside an address space.
///
/// Source: `pfn_to_dma_pte`, `generic_pt`. Severity: warning; one write to the table changes the
/// mapping of several addresses.
struct TableAlias: AuditRule {
  static let id = "domain.table-alias"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    state.domains.compactMap { domain in
      guard let walk = domain.walk, walk.aliases > 0 else { return nil }
      return finding(
        .tableAlias(domain, walk), about: domain,
        evidence: state.evidence(.alias, in: domain))
    }
  }
}

extension Finding.Message {
  fileprivate static func tableAlias(_ domain: Domain, _ walk: WalkSummary) -> Self {
    let tables = walk.aliases == 1 ? "1 table" : "\(walk.aliases) tables"
    return "\(tables) of \(domain.name) can be reached over more than one path"
  }
}
