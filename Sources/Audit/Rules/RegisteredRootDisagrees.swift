// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The unit reads the root table that the kernel believes in, in the mode that it believes in.
///
/// Source: `iommu_set_root_entry`; VT-d specification, section 11.4.6. Severity: error; every context in
/// memory is one that the unit does not look at, or the kernel's structure is damaged.
struct RegisteredRootDisagrees: AuditRule {
  static let id = "registers.root-table"
  static let severity = Finding.Severity.error

  func check(_ state: RemappingState) -> [Finding] {
    UnitWithRegisters.all(in: state).compactMap { pair in
      let registers = pair.registers
      // Bit 30 of GSTS: the pointer has been taken over by the unit.
      guard let root = registers.rootTable, registers.status(bit: 30) ?? true,
        pair.unit.rootFrom == .kernel, let believed = pair.unit.rootTable
      else { return nil }
      let evidence = pair.evidence("RTADDR", 0x20)
      guard let mode = registers.tableMode else {
        return finding(.blocked, unit: pair.unit.name, evidence: [evidence])
      }
      guard root == believed, mode == pair.unit.tableMode else {
        return finding(
          .other(root, mode, believed, pair.unit.tableMode), unit: pair.unit.name,
          evidence: [evidence])
      }
      return nil
    }
  }
}

extension Finding.Message {
  fileprivate static let blocked: Self =
    "the unit blocks all requests (abort-DMA mode), and the kernel believes that it translates"

  fileprivate static func other(
    _ root: PhysicalAddress, _ mode: TableMode, _ believed: PhysicalAddress, _ other: TableMode
  ) -> Self {
    "the unit reads the root table \(root) in \(mode.rawValue) mode, and the kernel believes in"
      + " \(believed) in \(other.rawValue) mode"
  }
}
