// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every table of a domain has its bytes in the dump.
///
/// An ELF dump leaves out pages of zeros and pages that a filter removed, and does not say which.
///
/// Source: makedumpfile's ELF output. Severity: info; the tables were taken for empty, which they
/// most likely are.
struct TablesAssumedEmpty: AuditRule {
  static let id = "domain.tables-assumed-empty"
  static let severity = Finding.Severity.info

  func check(_ state: RemappingState) -> [Finding] {
    state.domains.compactMap { domain in
      guard let walk = domain.walk, walk.assumedEmpty > 0 else { return nil }
      return finding(
        .tablesAssumedEmpty(domain, walk), about: domain,
        evidence: state.evidence(.assumedZero, in: domain))
    }
  }
}

extension Finding.Message {
  fileprivate static func tablesAssumedEmpty(_ domain: Domain, _ walk: WalkSummary) -> Self {
    let tables = walk.assumedEmpty == 1 ? "1 table" : "\(walk.assumedEmpty) tables"
    return "\(tables) of \(domain.name) had no bytes in the dump and passed for empty"
  }
}
