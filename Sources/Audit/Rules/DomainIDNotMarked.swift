// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every domain-id in a context entry is marked as taken, or is one that the driver gives to nobody.
///
/// Source: `intel_iommu.domain_ids`, since 6.15 `domain_ida`, which begins with 2: FLPT_DEFAULT_DID, 1,
/// is in no allocator. Severity: error; the kernel may give
/// the id to another domain, and both would share IOTLB entries.
struct DomainIDNotMarked: AuditRule {
  static let id = "context.domain-id-not-marked"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .domainIDs]

  func check(_ state: RemappingState) -> [Finding] {
    var reported: Set<UInt32> = []
    return state.units.flatMap { unit -> [Finding] in
      guard let used = unit.domainIDs.used.map(Set.init) else { return [] }
      reported = []
      return state.contexts.compactMap { context in
        guard context.unit == unit.name, let id = context.domainID, !used.contains(id),
          !unit.domainIDs.reserved.contains(id), reported.insert(id).inserted
        else { return nil }
        return finding(
          .notMarked(id), unit: unit.name, device: .pci(context.device),
          evidence: [context.evidence])
      }
    }
  }
}

extension Finding.Message {
  fileprivate static func notMarked(_ id: UInt32) -> Self {
    "domain-id \(id) is in use, and the kernel's allocator holds it for free"
  }
}
