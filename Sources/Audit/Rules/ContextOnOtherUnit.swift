// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A device's context entry stands in the tables of the unit that the kernel chose for the device.
///
/// Source: `device_lookup_iommu`. Severity: warning; the entry translates nothing, or the kernel
/// looks at the wrong unit.
struct ContextOnOtherUnit: AuditRule {
  static let id = "context.other-unit"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.kernel, .contexts]

  func check(_ state: RemappingState) -> [Finding] {
    var units: [DeviceName: Set<String>] = [:]
    for device in state.devices {
      guard let unit = device.unit else { continue }
      for name in [device.device] + device.aliases { units[name, default: []].insert(unit) }
    }
    var reported: Set<PCIFunction> = []
    return state.contexts.compactMap { context in
      let name = DeviceName.pci(context.device)
      guard let expected = units[name], !expected.contains(context.unit),
        reported.insert(context.device).inserted
      else { return nil }
      return finding(
        .otherUnit(context.unit, expected.sorted()), unit: context.unit, device: name,
        evidence: [context.evidence])
    }
  }
}

extension Finding.Message {
  fileprivate static func otherUnit(_ unit: String, _ expected: [String]) -> Self {
    "a present entry stands in the tables of \(unit), and the kernel has the device on"
      + " \(expected.joined(separator: ", "))"
  }
}
