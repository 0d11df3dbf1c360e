// SPDX-License-Identifier: Apache-2.0

import RemappingState

/// Every domain-id that is marked as taken belongs to a domain.
///
/// Ids 0 and 1 are reserved, and a kernel that took a unit over marks the ids it found there.
///
/// Source: `domain_attach_iommu`, `copy_context_table`. Severity: info; leaked ids are lost until
/// the next boot, but harm nobody.
struct DomainIDLeaked: AuditRule {
  static let id = "domain.id-leaked"
  static let severity = Finding.Severity.info
  static let needs: Set<AuditNeed> = [.kernel, .devices, .attachments, .contexts, .domainIDs]

  func check(_ state: RemappingState) -> [Finding] {
    guard state.hasKernel, state.devicesAreComplete, state.attachmentsAreComplete else { return [] }
    return state.units.compactMap { unit in
      guard let used = unit.domainIDs.used, unit.inherited != true,
        state.contextsAreComplete(on: unit.name)
      else { return nil }
      var owned: Set<UInt32> = [0, 1]
      for context in state.contexts where context.unit == unit.name {
        if let id = context.domainID { owned.insert(id) }
      }
      for domain in state.domains where domain.unit == unit.name && domain.kernelObject != nil {
        if let id = domain.domainID { owned.insert(id) }
      }
      let leaked = used.filter { !owned.contains($0) }
      guard let first = leaked.first else { return nil }
      return finding(.leaked(leaked.count, first), unit: unit.name)
    }
  }
}

extension Finding.Message {
  fileprivate static func leaked(_ count: Int, _ first: UInt32) -> Self {
    count == 1
      ? "domain-id \(first) is marked as taken, and no domain was found that has it"
      : "\(count) domain-ids, the first is \(first), are marked as taken, and no domain was found"
        + " that has them"
  }
}
