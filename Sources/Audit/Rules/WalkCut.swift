// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The tables of a domain fit into the walk's page budget.
///
/// Severity: warning; what lies behind the cut is unknown, and tables that large are most likely
/// damaged.
struct WalkCut: AuditRule {
  static let id = "domain.walk-cut"
  static let severity = Finding.Severity.warning

  func check(_ state: RemappingState) -> [Finding] {
    state.domains.compactMap { domain in
      guard let walk = domain.walk, walk.budgetExhausted else { return nil }
      return finding(
        .walkCut(domain, walk), about: domain,
        evidence: state.evidence(.budget, in: domain))
    }
  }
}

extension Finding.Message {
  fileprivate static func walkCut(_ domain: Domain, _ walk: WalkSummary) -> Self {
    "the walk of \(domain.name) was cut after \(walk.tables) tables; what lies behind is unknown"
  }
}
