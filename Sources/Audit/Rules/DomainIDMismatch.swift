// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A device's context entry carries the domain-id that the kernel gave to the device's domain.
///
/// Copied entries keep the previous kernel's id until the device is attached anew.
///
/// Source: `domain_id_iommu`, `intel_pasid_setup_second_level`. Severity: error; the kernel flushes
/// another id than the one under which the IOTLB caches.
struct DomainIDMismatch: AuditRule {
  static let id = "context.domain-id-mismatch"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .contexts]

  func check(_ state: RemappingState) -> [Finding] {
    let index = StateIndex(state)
    let copied = state.copiedContexts
    return state.devices.flatMap { device -> [Finding] in
      guard let unit = device.unit, let expected = device.domainID else { return [] }
      return ([device.device] + device.aliases).compactMap { name in
        guard let function = name.function, copied[unit]?.contains(name) != true,
          let context = index.context(of: function, on: unit), let have = context.domainID,
          have != expected
        else { return nil }
        return finding(
          .mismatch(have, expected), unit: unit, device: name,
          evidence: [context.evidence] + device.evidence)
      }
    }
  }
}

extension Finding.Message {
  fileprivate static func mismatch(_ have: UInt32, _ expected: UInt32) -> Self {
    "the hardware uses domain-id \(have), the kernel assigned \(expected)"
  }
}
