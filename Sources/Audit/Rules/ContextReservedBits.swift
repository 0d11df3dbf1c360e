// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No present root, context or PASID entry has a reserved bit set.
///
/// Source: VT-d specification, sections 9.1 to 9.6. Severity: error; every request through the entry
/// faults, and the table may be damaged.
struct ContextReservedBits: AuditRule {
  static let id = "context.reserved-bits"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.contexts]

  func check(_ state: RemappingState) -> [Finding] {
    state.observations.compactMap { observation in
      guard observation.kind == .reservedBits, observation.isContextStructure,
        observation.cause == .reservedBits
      else { return nil }
      return finding(
        .reservedBits(observation), about: observation)
    }
  }
}

extension Finding.Message {
  fileprivate static func reservedBits(_ observation: Observation) -> Self {
    "the \(observation.subject) has \(observation.detail)"
  }
}
