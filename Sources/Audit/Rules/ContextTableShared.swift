// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every context table and PASID table serves one bus or device alone.
///
/// Source: `iommu_context_addr`, `intel_pasid_alloc_table`. Severity: error; what is set for one
/// device holds for another.
struct ContextTableShared: AuditRule {
  static let id = "context.table-shared"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.contexts]

  func check(_ state: RemappingState) -> [Finding] {
    state.observations.compactMap { observation in
      guard observation.kind == .alias, observation.isContextStructure else { return nil }
      return finding(
        .shared(observation), about: observation)
    }
  }
}

extension Finding.Message {
  fileprivate static func shared(_ observation: Observation) -> Self {
    "the \(observation.subject) serves more than one: \(observation.detail)"
  }
}
