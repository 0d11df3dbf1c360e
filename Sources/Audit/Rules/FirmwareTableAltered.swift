// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The firmware's description of a unit still says what the kernel read from it at boot.
///
/// The kernel keeps a copy of each unit's structure. The ACPI table itself is in no ordinary dump.
///
/// Source: `dmar_parse_one_drhd`; VT-d specification, section 8.3. Severity: warning; memory was
/// overwritten, and a kernel that starts from it would not find the unit.
struct FirmwareTableAltered: AuditRule {
  static let id = "dump.firmware-table-altered"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.kernel]

  func check(_ state: RemappingState) -> [Finding] {
    state.observations.compactMap { observation in
      guard observation.isFirmwareStructure else { return nil }
      return finding(
        .altered(observation), unit: observation.unit, evidence: [observation.evidence])
    }
  }
}

extension Finding.Message {
  fileprivate static func altered(_ observation: Observation) -> Self {
    "the kernel's copy of the DMAR table does not describe the unit any more: \(observation.detail)"
  }
}
