// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No present entry has a reserved bit set.
///
/// Source: VT-d specification, sections 9.8 and 9.9. Severity: error; requests through the entry
/// fault, and the tables may be damaged.
struct ReservedBits: AuditRule {
  static let id = "domain.reserved-bits"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    state.domains.compactMap { domain in
      guard let walk = domain.walk, walk.reservedBits > 0 else { return nil }
      return finding(
        .reservedBits(domain, walk), about: domain,
        evidence: state.evidence(.reservedBits, in: domain))
    }
  }
}

extension Finding.Message {
  fileprivate static func reservedBits(_ domain: Domain, _ walk: WalkSummary) -> Self {
    let entries =
      walk.reservedBits == 1 ? "1 present entry has" : "\(walk.reservedBits) present entries have"
    return "\(entries) reserved bits set in the tables of \(domain.name)"
  }
}
