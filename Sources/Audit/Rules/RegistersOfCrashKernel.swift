// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Registers that were read beside the dump are those that the crashed kernel had set.
///
/// A crash kernel sets up the units anew; registers that were read in it point to its own tables.
/// Nothing is compared with what the crashed kernel believed then.
///
/// Source: `init_dmars`, `intel_iommu_init`. Severity: info; only fault records and errors that are
/// older than the takeover tell of the crashed kernel.
struct RegistersOfCrashKernel: AuditRule {
  static let id = "registers.of-crash-kernel"
  static let severity = Finding.Severity.info

  func check(_ state: RemappingState) -> [Finding] {
    (state.registers ?? []).compactMap { registers in
      guard registers.isAnswered, state.isOfCrashKernel(registers) else { return nil }
      return finding(
        .later(registers.rootTable), unit: registers.unit,
        evidence: [
          Evidence(what: "RTADDR", address: registers.rootTable.map { HexWord($0.rawValue) })
        ]
      )
    }
  }
}

extension Finding.Message {
  fileprivate static func later(_ root: PhysicalAddress?) -> Self {
    "the registers are of the crash kernel, whose memory they point to"
      + (root.map { " (root table \($0))" } ?? "")
      + ": they are not compared with what the crashed kernel believed"
  }
}
