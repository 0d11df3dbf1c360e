// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No more ranges wait for their flush than a flush queue holds.
///
/// Unmapped ranges wait up to 10 ms, or until 256 of them are queued on a CPU: some are there at
/// almost every crash, and no finding. From 1,024 on, or once they cover 64 MiB, flushing lags behind.
///
/// Source: drivers/iommu/dma-iommu.c, `queue_iova`, IOVA_FQ_TIMEOUT. Severity: info; devices may
/// still reach what was unmapped.
struct FlushPending: AuditRule {
  static let id = "iova.flush-pending"
  static let severity = Finding.Severity.info
  static let needs: Set<AuditNeed> = [.kernel, .allocators]
  private static let countLimit = 1024
  private static let byteLimit: UInt64 = 64 << 20

  func check(_ state: RemappingState) -> [Finding] {
    state.allocators.compactMap { domain, space in
      let size = IOVASize(space, .pending)
      guard size.count >= Self.countLimit || size.bytes >= Self.byteLimit else { return nil }
      return finding(
        .pending(domain, size), about: domain)
    }
  }
}

extension Finding.Message {
  fileprivate static func pending(_ domain: Domain, _ size: IOVASize) -> Self {
    "\(size.count) ranges of \(domain.name) with \(size.bytes) bytes are unmapped and wait for their"
      + " flush"
  }
}
