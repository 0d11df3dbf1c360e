// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every table of a domain is in the dump.
///
/// Tables survive every filter of makedumpfile unless they were free: a table that is missing from a
/// filtered dump was given back while an entry still pointed at it, or never was memory.
///
/// Source: makedumpfile's dump levels. Severity: warning; part of the address space is unknown.
struct TablesUnreadable: AuditRule {
  static let id = "domain.tables-unreadable"
  static let severity = Finding.Severity.warning

  func check(_ state: RemappingState) -> [Finding] {
    state.domains.compactMap { domain in
      guard let walk = domain.walk, walk.unreadable > 0 else { return nil }
      return finding(
        .tablesUnreadable(domain, walk), about: domain,
        evidence: state.evidence(.unreadable, in: domain))
    }
  }
}

extension Finding.Message {
  fileprivate static func tablesUnreadable(_ domain: Domain, _ walk: WalkSummary) -> Self {
    let tables = walk.unreadable == 1 ? "1 table" : "\(walk.unreadable) tables"
    return
      "\(tables) of \(domain.name) could not be read; that part of the address space is unknown,"
      + " not empty"
  }
}
