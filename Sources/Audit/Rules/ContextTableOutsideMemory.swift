// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The table that a context points to lies in memory.
///
/// Nested contexts name a guest's address and are not judged.
///
/// Source: VT-d specification, section 9.3; `iomem_resource`. Severity: error; the unit reads what is
/// no table, or faults.
struct ContextTableOutsideMemory: AuditRule {
  static let id = "context.table-outside-memory"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.contexts]

  func check(_ state: RemappingState) -> [Finding] {
    let memory = AddressRanges(state.memoryMap, [.memory])
    guard !memory.isEmpty else { return [] }
    return state.contexts.compactMap { context in
      let table =
        context.translation == .nested ? context.secondStage?.table : context.table
      guard let table, !memory.contains(table.rawValue) else { return nil }
      return finding(
        .outside(table), unit: context.unit, device: .pci(context.device),
        evidence: [context.evidence])
    }
  }
}

extension Finding.Message {
  fileprivate static func outside(_ table: PhysicalAddress) -> Self {
    "the context points to a table at \(table), where the machine has no memory"
  }
}
