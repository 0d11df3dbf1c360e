// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No device holds far more live mappings than the others together.
///
/// A driver that forgets to unmap fills its allocator. Network and storage drivers keep some
/// thousands of buffers mapped, so a suspect has 8,192 live ranges or more, and nine of ten of the
/// machine's. What grows between two dumps says more: compare them.
///
/// Source: `iommu_dma_map_phys` and its callers. Severity: info; a suspect, no proof.
struct LeakSuspect: AuditRule {
  static let id = "iova.leak-suspect"
  static let severity = Finding.Severity.info
  static let needs: Set<AuditNeed> = [.kernel, .allocators]
  private static let limit = 8192

  func check(_ state: RemappingState) -> [Finding] {
    let sizes = state.allocators.map { ($0.domain, IOVASize($0.space, .live)) }
    let total = sizes.reduce(0) { $0 + $1.1.count }
    return sizes.filter { $0.1.count >= Self.limit && $0.1.count >= total / 10 * 9 }
      .sorted { $0.1.count > $1.1.count }.map { domain, size in
        finding(
          .suspect(domain, size, state.drivers(of: domain)), about: domain)
      }
  }
}

extension Finding.Message {
  fileprivate static func suspect(
    _ domain: Domain, _ size: IOVASize, _ drivers: [String]
  ) -> Self {
    let names = drivers.isEmpty ? "" : " (driver \(drivers.joined(separator: ", ")))"
    return
      "\(domain.name)\(names) holds \(size.count) live ranges with \(size.bytes) bytes, most of"
      + " the machine's"
  }
}
