// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No domain maps a page that the kernel's allocator holds for free.
///
/// Told from `struct page`, which filtered dumps keep. What was given to guests is not looked up.
///
/// Source: mm/page_alloc.c, `__free_one_page`; the kernel's own check is `iommu.debug_pagealloc`.
/// Severity: error; whoever gets the page next shares it with the device.
struct MapsFreeMemory: AuditRule {
  static let id = "domain.maps-free-memory"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .pageTables, .pageDescriptors]

  func check(_ state: RemappingState) -> [Finding] {
    findings(state, .freePage) { .maps($0) }
  }
}

extension Finding.Message {
  fileprivate static func maps(_ observation: Observation) -> Self {
    let domain = observation.domainID.map { "domain-id \($0)" } ?? "a domain"
    let pages = observation.count == 1 ? "a page" : "pages in \(observation.count) places"
    return "\(domain) maps \(pages) that the kernel holds for free; \(observation.detail)"
  }
}
