// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No domain maps a table of the remapping units.
///
/// Identity domains built of tables map all of memory and are not judged.
///
/// Source: `iommu_alloc_pages_node`, which takes tables from the kernel's own memory. Severity:
/// error; a device that writes there rewrites its own rights.
struct MapsTables: AuditRule {
  static let id = "domain.maps-tables"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    findings(state, .mapsTable) { .maps($0) }
  }
}

extension Finding.Message {
  fileprivate static func maps(_ observation: Observation) -> Self {
    let domain = observation.domainID.map { "domain-id \($0)" } ?? "a domain"
    let pages = observation.count == 1 ? "1 table page" : "\(observation.count) table pages"
    return "\(domain) maps \(pages) of the remapping unit; the first is a \(observation.subject),"
      + " \(observation.detail)"
  }
}
