// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A domain-id names one table on a unit.
///
/// In scalable mode Linux gives domain-id 1 to pass-through and to every first-stage table
/// (FLPT_DEFAULT_DID), where PASIDs tell IOTLB entries apart; contexts without a table count for
/// nothing. Entries of a previous kernel are not judged.
///
/// Source: VT-d specification, section 6.2.2.1; drivers/iommu/intel/pasid.h. Severity: error; the
/// IOTLB mixes what both tables say.
struct DomainIDShared: AuditRule {
  static let id = "domain.id-shared"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel]

  func check(_ state: RemappingState) -> [Finding] {
    let scalable = Set(state.units.filter { $0.tableMode == .scalable }.map(\.name))
    let inherited = state.copiedContexts
    var first: [Key: Context] = [:]
    var reported: Set<Key> = []
    return state.contexts.compactMap { context in
      guard let id = context.domainID, let table = context.table,
        inherited[context.unit]?.contains(.pci(context.device)) != true,
        !(id == 1 && scalable.contains(context.unit))
      else { return nil }
      let key = Key(unit: context.unit, domainID: id)
      guard let known = first[key] else {
        first[key] = context
        return nil
      }
      guard known.table != table, reported.insert(key).inserted else { return nil }
      return finding(
        .shared(id, known, context), unit: context.unit,
        evidence: [known.evidence, context.evidence])
    }
  }

  private struct Key: Hashable {
    var unit: String
    var domainID: UInt32
  }
}

extension Finding.Message {
  fileprivate static func shared(_ id: UInt32, _ a: Context, _ b: Context) -> Self {
    "domain-id \(id) stands for the table of \(a.device) and for another one of \(b.device)"
  }
}
