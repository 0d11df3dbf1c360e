// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The invalidation queue is drained.
///
/// The head and tail registers are in no dump; what counts here is software's status of the slots.
///
/// Source: `qi_submit_sync`; VT-d specification, section 6.5.2. Severity: info; the IOTLB may still
/// hold what was to be invalidated, and a queue that hangs is a reason to crash.
struct InvalidationPending: AuditRule {
  static let id = "queue.pending"
  static let severity = Finding.Severity.info
  static let needs: Set<AuditNeed> = [.invalidationQueues]

  func check(_ state: RemappingState) -> [Finding] {
    state.units.compactMap { unit in
      guard let queue = unit.invalidationQueue, queue.pending > 0 else { return nil }
      return finding(
        .pending(queue), unit: unit.name,
        evidence: [
          Evidence(what: "invalidation queue", address: queue.base.map { HexWord($0.rawValue) })
        ])
    }
  }
}

extension Finding.Message {
  fileprivate static func pending(_ queue: InvalidationQueue) -> Self {
    "\(queue.pending) invalidations were submitted and not known to be done (slots"
      + " \(queue.freeTail) to before \(queue.freeHead))"
  }
}
