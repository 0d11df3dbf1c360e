// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// What a DMA domain maps is memory.
///
/// Reserved regions are mapped for firmware, and a device may be given another one's registers
/// (peer-to-peer), so this alone proves nothing.
///
/// Source: `iomem_resource`; `dma_map_resource`. Severity: info.
struct MapsNoMemory: MappingRule {
  static let id = "domain.maps-no-memory"
  static let severity = Finding.Severity.info
  static let needs: Set<AuditNeed> = [.firmwareRegions, .pageTables]

  func check(_ state: RemappingState, _ mappings: MappingFacts) -> [Finding] {
    zip(state.domains, mappings.domains).compactMap { domain, facts in
      guard let first = facts.outsideMemory.first else { return nil }
      return finding(
        .maps(domain, facts.outsideMemory.count, first), about: domain)
    }
  }
}

extension Finding.Message {
  fileprivate static func maps(_ domain: Domain, _ count: Int, _ first: Run) -> Self {
    let ranges = count == 1 ? "1 range that is" : "\(count) ranges that are"
    return "\(domain.name) maps \(ranges) not memory; the first is IOVA \(first.iova) to physical"
      + " \(first.physical)"
  }
}
