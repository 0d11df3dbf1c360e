// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every device that the kernel attached to a domain has a context entry on its unit.
///
/// A device in the blocking domain has none, and functions behind a VMD bridge (segments from
/// 0x10000 up) use the entry of the bridge. Nothing is said where a table could not be read.
///
/// Source: `dmar_domain_attach_device`, `domain_context_mapping_one`. Severity: error; every request
/// of the device faults.
struct ContextMissing: AuditRule {
  static let id = "device.context-missing"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .contexts]

  func check(_ state: RemappingState) -> [Finding] {
    let index = StateIndex(state)
    let active = state.activeUnits
    return state.devices.compactMap { device in
      guard let function = device.device.function, !function.isBehindVMD,
        let unit = device.unit, active.contains(unit), device.domain != nil,
        let type = index.domainType(of: device), type != .blocked,
        index.context(of: function, on: unit) == nil, index.contextsAreComplete(on: unit)
      else { return nil }
      let blocked = index.anyContext(of: function, on: unit)
      return finding(
        .missing(type, domainID: device.domainID, hasContext: blocked != nil), unit: unit,
        device: device.device, evidence: device.evidence + [blocked?.evidence].compactMap(\.self))
    }
  }
}

extension Finding.Message {
  fileprivate static func missing(_ type: DomainType, domainID: UInt32?, hasContext: Bool) -> Self {
    let id = domainID.map { " with domain-id \($0)" } ?? ""
    let entry = hasContext ? "PASID entry for requests without PASID" : "context entry"
    return
      "the kernel attached the device to a domain of type \(type.rawValue)\(id), but no present"
      + " \(entry) exists"
  }
}
