// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every present interrupt-remapping entry is allocated.
///
/// Source: `struct ir_table.bitmap`, `modify_irte`, `clear_entries`. Severity: warning; a device may
/// raise an interrupt that nobody owns.
struct EntryNotAllocated: AuditRule {
  static let id = "interrupts.entry-not-allocated"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.interruptTables]

  func check(_ state: RemappingState) -> [Finding] {
    state.units.compactMap { unit in
      guard let table = unit.interruptRemapping, let first = table.presentButFree.first else {
        return nil
      }
      return finding(
        .notAllocated(table.presentButFree.count, first), unit: unit.name,
        evidence: [
          Evidence(
            what: "interrupt-remapping table", address: table.table.map { HexWord($0.rawValue) })
        ])
    }
  }
}

extension Finding.Message {
  fileprivate static func notAllocated(_ count: Int, _ first: Int) -> Self {
    count == 1
      ? "interrupt-remapping entry \(first) is present, and the kernel holds it for free"
      : "\(count) interrupt-remapping entries are present, and the kernel holds them for free; the"
        + " first is \(first)"
  }
}
