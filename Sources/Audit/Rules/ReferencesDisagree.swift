// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A domain is attached to a unit as often as the kernel counts.
///
/// Each device and each PASID that is attached holds one reference. With fewer than that the
/// domain-id is given back while it is in use; with more it is never given back. A static identity
/// domain keeps no count.
///
/// Source: `domain_attach_iommu`, `domain_detach_iommu`. Severity: error where references lack,
/// warning where there are too many.
struct ReferencesDisagree: AuditRule {
  static let id = "domain.references"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .devices, .attachments, .contexts]

  func check(_ state: RemappingState) -> [Finding] {
    guard state.hasKernel, state.devicesAreComplete, state.attachmentsAreComplete else { return [] }
    return state.domains.compactMap { domain in
      guard let references = domain.references, let unit = domain.unit,
        let object = domain.kernelObject, domain.type != .nested, domain.type != .sva,
        state.unit(unit)?.inherited != true
      else { return nil }
      let devices = state.devices.count { $0.domain == object && $0.unit == unit }
      // A PASID that was not seen holds a reference too.
      guard state.contextsAreComplete(on: unit) else { return nil }
      let pasids = state.contexts.count {
        $0.unit == unit && $0.domainID == domain.domainID && $0.table == domain.table
          && $0.pasid != nil && !$0.servesRequestsWithoutPASID
      }
      guard references != devices + pasids else { return nil }
      // One of several rows of the same domain and unit speaks for all.
      guard domain.domainID != nil else { return nil }
      return finding(
        .references(domain, references, devices: devices, pasids: pasids),
        severity: references < devices + pasids ? .error : .warning, unit: unit,
        evidence: domain.evidence)
    }
  }
}

extension Finding.Message {
  fileprivate static func references(
    _ domain: Domain, _ references: Int, devices: Int, pasids: Int
  ) -> Self {
    let users = devices == 1 ? "1 device" : "\(devices) devices"
    let more = pasids == 0 ? "" : " and \(pasids) PASIDs"
    let verb = devices == 1 && pasids == 0 ? "is" : "are"
    return "the kernel counts \(references) attachments of \(domain.name), and \(users)\(more)"
      + " \(verb) attached"
  }
}
