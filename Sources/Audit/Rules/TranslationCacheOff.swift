// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A device that firmware says works only with its translation cache has it enabled.
///
/// Linux enables the cache of such a device (SATC with the flag ATC_REQUIRED) in scalable mode alone; behind a
/// unit in legacy mode it stays off, as if nobody had asked.
///
/// Source: drivers/iommu/intel/iommu.c, `dmar_ats_supported`; VT-d specification, section 8.8. Severity:
/// warning; the device may not work as its driver expects.
struct TranslationCacheOff: AuditRule {
  static let id = "device.cache-off"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.kernel]

  func check(_ state: RemappingState) -> [Finding] {
    let modes = Dictionary(
      state.units.map { ($0.name, $0.tableMode) }, uniquingKeysWith: { first, _ in first })
    let needing = Set(state.translationCaches.filter { $0.required == true }.flatMap(\.devices))
    return state.devices.compactMap { device in
      guard needing.contains(device.device), let unit = device.unit, let mode = modes[unit],
        mode != .scalable
      else { return nil }
      return finding(.cacheIsOff(mode), unit: unit, device: device.device)
    }
  }
}

extension Finding.Message {
  fileprivate static func cacheIsOff(_ mode: TableMode) -> Self {
    "firmware says that the device needs its translation cache (SATC), which Linux enables in scalable"
      + " mode alone; its unit is in \(mode.rawValue) mode"
  }
}
