// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every present interrupt-remapping entry is one that the kernel can have written.
///
/// Reserved bits and modes, vectors of the processor's exceptions, and source ids of nobody are not.
/// Sources are not judged where the kernel's list of devices has gaps.
///
/// Source: VT-d specification, sections 9.9 and 9.10; `set_msi_sid`, `set_ioapic_sid`. Severity: error;
/// the interrupt is lost, or another one is raised in its place.
struct InterruptEntryImpossible: AuditRule {
  static let id = "interrupts.entry-impossible"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.interruptTables]

  func check(_ state: RemappingState) -> [Finding] {
    state.observations.compactMap { observation in
      guard observation.kind == .interruptEntry else { return nil }
      return finding(
        .impossible(observation), unit: observation.unit, evidence: [observation.evidence])
    }
  }
}

extension Finding.Message {
  fileprivate static func impossible(_ observation: Observation) -> Self {
    let more = observation.count > 1 ? ", and \(observation.count - 1) more are alike" : ""
    return "\(observation.subject): \(observation.detail)\(more)"
  }
}
