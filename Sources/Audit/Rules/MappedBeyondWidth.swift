// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No second-stage table maps addresses that the unit cannot translate.
///
/// Source: VT-d specification, section 11.4.2, CAP.MGAW. Severity: warning; requests to these addresses
/// fault.
struct MappedBeyondWidth: MappingRule {
  static let id = "domain.beyond-width"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.pageTables]

  func check(_ state: RemappingState, _ mappings: MappingFacts) -> [Finding] {
    zip(state.domains, mappings.domains).compactMap { domain, facts in
      guard let run = facts.beyondWidth, let unit = state.unit(domain.unit),
        let width = state.width(of: domain)
      else { return nil }
      return finding(
        .beyond(domain, run, width), about: domain,
        evidence: [Evidence(what: "CAP register", words: [unit.capability])] + domain.evidence)
    }
  }
}

extension Finding.Message {
  fileprivate static func beyond(_ domain: Domain, _ run: Run, _ width: UInt64) -> Self {
    "\(domain.name) maps IOVA \(run.iova), beyond the \(width) bits that the unit translates"
  }
}
