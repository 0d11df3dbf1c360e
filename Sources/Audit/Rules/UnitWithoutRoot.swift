// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A unit that translates has a root table.
///
/// Source: `iommu_alloc_root_entry`, `iommu_set_root_entry`. Severity: error; every request behind the
/// unit faults, or the kernel's structure is damaged.
struct UnitWithoutRoot: AuditRule {
  static let id = "unit.no-root-table"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel]

  func check(_ state: RemappingState) -> [Finding] {
    state.units.compactMap { unit in
      guard unit.translationEnabled == true, unit.rootTable == nil, unit.kernelObject != nil,
        !state.observations.contains(where: {
          $0.unit == unit.name && $0.kind == .unreadable && $0.structure == .kernel(.rootEntry)
        })
      else { return nil }
      return finding(
        .none, unit: unit.name,
        evidence: [Evidence(what: "intel_iommu.gcmd", words: unit.globalCommand.map { [$0] } ?? [])]
      )
    }
  }
}

extension Finding.Message {
  fileprivate static let none: Self =
    "translation is on, and the kernel has no root table for the unit"
}
