// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// What the IOVA allocator gave to a driver is mapped.
///
/// Reserved ranges, ranges in caches and flush queues, and the unmapped tail of a live range are
/// ordinary. Where the caches, the queues, what is reserved or the tables could not be read, nothing is
/// said.
///
/// Source: `iommu_dma_alloc_iova`, `dma_iova_try_alloc`. Severity: info; a driver is between both
/// steps, or the range is lost.
struct AllocatedNotMapped: AuditRule {
  static let id = "iova.allocated-not-mapped"
  static let severity = Finding.Severity.info
  static let needs: Set<AuditNeed> = [.kernel, .allocators, .reservedRanges, .pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    guard !state.lacksAllocatorParts, state.reservedRangesAreComplete else { return [] }
    return state.allocators.compactMap { domain, space in
      guard domain.isFullyWalked else { return nil }
      let ranges = space.allocated.filter { $0.state == .unmapped }
      guard let first = ranges.first else { return nil }
      return finding(
        .unmapped(domain, ranges.count, first), about: domain)
    }
  }
}

extension Finding.Message {
  fileprivate static func unmapped(_ domain: Domain, _ count: Int, _ first: IOVARange) -> Self {
    let ranges = count == 1 ? "1 range is" : "\(count) ranges are"
    return "\(ranges) allocated in \(domain.name) and not mapped, the first is \(first.start) to"
      + " \(first.end)"
  }
}
