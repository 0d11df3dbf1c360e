// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every unit in use has a device in its scope.
///
/// A unit for all devices that no other one names has no list.
///
/// Source: `dmar_dev_scope_init`, `init_no_remapping_devices`. Severity: info; Linux skips such a
/// unit, and a device that firmware names may be missing.
struct UnitWithoutDevices: AuditRule {
  static let id = "unit.no-device-in-scope"
  static let severity = Finding.Severity.info
  static let needs: Set<AuditNeed> = [.kernel]

  func check(_ state: RemappingState) -> [Finding] {
    state.units.compactMap { unit in
      guard unit.includeAll == false, unit.kernelObject != nil,
        unit.scope.allSatisfy({ $0 == nil })
      else { return nil }
      return finding(.none(unit.scope.count), unit: unit.name)
    }
  }
}

extension Finding.Message {
  fileprivate static func none(_ count: Int) -> Self {
    count == 0
      ? "firmware names no device for the unit"
      : "Linux found none of the \(count) devices that firmware names for the unit"
  }
}
