// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A table has one domain-id on a unit.
///
/// A process's table, which SVA gives to devices, and entries of a previous kernel are not judged.
///
/// Source: `domain_attach_iommu` hands out one id for a domain and unit. Severity: error; a flush by
/// one id leaves what was cached under the other.
struct TableUnderTwoIDs: AuditRule {
  static let id = "domain.table-under-two-ids"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.contexts]

  func check(_ state: RemappingState) -> [Finding] {
    let inherited = state.copiedContexts
    let processes = Set(
      state.domains.filter { $0.type == .sva || $0.type == .nested }.compactMap(\.table))
    var first: [Key: Context] = [:]
    var reported: Set<Key> = []
    return state.contexts.compactMap { context in
      guard let id = context.domainID, let table = context.table, !processes.contains(table),
        context.translation != .nested,
        inherited[context.unit]?.contains(.pci(context.device)) != true
      else { return nil }
      let key = Key(unit: context.unit, table: table)
      guard let known = first[key] else {
        first[key] = context
        return nil
      }
      guard known.domainID != id, reported.insert(key).inserted else { return nil }
      return finding(
        .twoIDs(table, known, context), unit: context.unit, device: .pci(context.device),
        evidence: [known.evidence, context.evidence])
    }
  }

  private struct Key: Hashable {
    var unit: String
    var table: PhysicalAddress
  }
}

extension Finding.Message {
  fileprivate static func twoIDs(
    _ table: PhysicalAddress, _ a: Context, _ b: Context
  ) -> Self {
    "the table at \(table) has domain-id \(a.domainID ?? 0) for \(a.device) and"
      + " \(b.domainID ?? 0) for \(b.device)"
  }
}
