// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No domain maps the window of message-signalled interrupts.
///
/// A write without PASID to 0xfee00000 to 0xfeefffff is an interrupt and never translated, so a
/// buffer that is mapped there loses its data. Requests with PASID are translated as any other.
///
/// Source: VT-d specification, sections 3.14 and 5.1; `intel_iommu_get_resv_regions`. Severity:
/// error.
struct MapsMSIWindow: MappingRule {
  static let id = "domain.maps-msi-window"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.pageTables]

  func check(_ state: RemappingState, _ mappings: MappingFacts) -> [Finding] {
    zip(state.domains, mappings.domains).compactMap { domain, facts in
      guard let run = facts.interruptWindow else { return nil }
      return finding(
        .maps(domain, run), about: domain)
    }
  }
}

extension Finding.Message {
  fileprivate static func maps(_ domain: Domain, _ run: Run) -> Self {
    "\(domain.name) maps part of the interrupt window, from \(run.iova) on; writes there raise"
      + " interrupts instead"
  }
}
