// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every field of a present root, context or PASID entry holds a value that the unit can do.
///
/// Widths that SAGAW lacks, translation types without their capability, domain-ids beyond the bound
/// and reserved values are judged against the unit's own CAP and ECAP.
///
/// Source: VT-d specification, sections 9.1 to 9.6 and 11.4.2. Severity: error; every request through
/// the entry faults.
struct ContextFieldImpossible: AuditRule {
  static let id = "context.field-impossible"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.contexts]

  func check(_ state: RemappingState) -> [Finding] {
    state.observations.compactMap { observation in
      guard observation.kind == .reservedBits, observation.isContextStructure,
        observation.cause == .impossibleField
      else { return nil }
      return finding(
        .impossible(observation), about: observation)
    }
  }
}

extension Finding.Message {
  fileprivate static func impossible(_ observation: Observation) -> Self {
    "the \(observation.subject) is not one that the unit can use: \(observation.detail)"
  }
}
