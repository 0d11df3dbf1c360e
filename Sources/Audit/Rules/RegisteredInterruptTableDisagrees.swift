// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The unit reads the interrupt-remapping table that the kernel believes in.
///
/// Source: `iommu_set_irq_remapping`; VT-d specification, section 11.4.8.1. Severity: error; interrupts
/// go where nobody expects them.
struct RegisteredInterruptTableDisagrees: AuditRule {
  static let id = "registers.interrupt-table"
  static let severity = Finding.Severity.error

  func check(_ state: RemappingState) -> [Finding] {
    UnitWithRegisters.all(in: state).compactMap { pair in
      guard pair.registers.status(bit: 25) == true, let table = pair.registers.interruptTable,
        let entries = pair.registers.interruptEntries,
        let kernel = pair.unit.interruptRemapping, let believed = kernel.table,
        table != believed || entries != kernel.entries
      else { return nil }
      return finding(
        .other(table, entries, believed, kernel.entries), unit: pair.unit.name,
        evidence: [pair.evidence("IRTA", 0xb8)])
    }
  }
}

extension Finding.Message {
  fileprivate static func other(
    _ table: PhysicalAddress, _ entries: Int, _ believed: PhysicalAddress, _ count: Int
  ) -> Self {
    "the unit reads an interrupt-remapping table of \(entries) entries at \(table), and the kernel"
      + " believes in one of \(count) at \(believed)"
  }
}
