// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A kernel domain has one domain-id, one table and one depth on a unit.
///
/// Rows of one kernel object on one unit that differ mean that a context entry and the kernel, or
/// two context entries, disagree. Identity, blocking and nested domains are not built that way, and
/// the ids of process address spaces are shared.
///
/// Source: `struct dmar_domain`, `iommu_domain_info.did`. Severity: error; devices of one domain see
/// different memory.
struct DomainTablesDisagree: AuditRule {
  static let id = "domain.tables-disagree"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel]

  func check(_ state: RemappingState) -> [Finding] {
    var first: [Key: Domain] = [:]
    return state.domains.compactMap { domain in
      guard let unit = domain.unit, let object = domain.kernelObject,
        domain.isDMA || domain.type == .unmanaged
      else { return nil }
      let key = Key(unit: unit, object: object)
      guard let other = first[key] else {
        first[key] = domain
        return nil
      }
      return finding(
        .disagree(domain, other), unit: unit,
        evidence: domain.evidence
          + [domain.table, other.table].compactMap { table in
            table.map { Evidence(what: "top table", address: HexWord($0.rawValue)) }
          })
    }
  }

  private struct Key: Hashable {
    var unit: String
    var object: KernelAddress
  }
}

extension Finding.Message {
  fileprivate static func disagree(_ a: Domain, _ b: Domain) -> Self {
    "one kernel domain is seen as \(shape(b)) and as \(shape(a))"
  }

  private static func shape(_ domain: Domain) -> String {
    let table = domain.table.map { "table \($0)" } ?? "no table"
    let levels = domain.levels.map { " of \($0) levels" } ?? ""
    let devices =
      domain.devices.isEmpty
      ? "the kernel alone" : domain.devices.map(\.description).joined(separator: " ")
    return "\(domain.name) with \(table)\(levels) (\(devices))"
  }
}
