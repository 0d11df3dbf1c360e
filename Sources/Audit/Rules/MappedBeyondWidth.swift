// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No second-stage table maps addresses that the unit cannot translate.
///
/// Source: VT-d specification, section 11.4.2, CAP.MGAW. Severity: warning; requests to these addresses
/// fault.
struct MappedBeyondWidth: AuditRule {
  static let id = "domain.beyond-width"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    state.domains.compactMap { domain in
      guard domain.stage == .second, let unit = state.unit(domain.unit),
        unit.capability.rawValue != 0
      else { return nil }
      // CAP bits 21:16 hold the width minus 1.
      let width = (unit.capability.rawValue >> 16 & 0x3f) + 1
      guard width < 64,
        let run = domain.mapping?.runs.first(where: { $0.addresses.upperBound >> width != 0 })
      else { return nil }
      return finding(
        .beyond(domain, run, width), unit: domain.unit, device: domain.onlyDevice,
        evidence: [Evidence(what: "CAP register", words: [unit.capability])] + domain.evidence)
    }
  }
}

extension Finding.Message {
  fileprivate static func beyond(_ domain: Domain, _ run: Run, _ width: UInt64) -> Self {
    "\(domain.name) maps IOVA \(run.iova), beyond the \(width) bits that the unit translates"
  }
}
