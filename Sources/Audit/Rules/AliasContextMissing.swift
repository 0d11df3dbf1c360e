// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Each source id under which a device's requests can arrive has the context that the device has.
///
/// A bridge from PCI Express to PCI puts the number of its secondary bus into the requests of all
/// functions behind it, and some functions use a second number of their own; the unit looks only at what
/// arrives. Linux sets such aliases up in legacy mode, and in scalable mode those of the function itself,
/// but not what a bridge makes of it. Where the alias has a context with another domain-id,
/// `context.domain-id-mismatch` says so.
///
/// Source: drivers/pci/search.c, `pci_for_each_dma_alias`; drivers/iommu/intel/pasid.c,
/// `pci_pasid_table_setup`. Severity: error; requests that arrive under that id fault, or see another
/// address space.
struct AliasContextMissing: AuditRule {
  static let id = "device.alias-context"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .contexts]

  func check(_ state: RemappingState) -> [Finding] {
    let index = StateIndex(state)
    let active = state.activeUnits
    let copied = state.copiedContexts
    return state.devices.flatMap { device -> [Finding] in
      guard !device.aliases.isEmpty, let function = device.device.function,
        !function.isBehindVMD, let unit = device.unit, active.contains(unit),
        device.domain != nil, let type = index.domainType(of: device), type != .blocked,
        let own = index.context(of: function, on: unit), own.translation != .none,
        index.contextsAreComplete(on: unit)
      else { return [] }
      return device.aliases.compactMap { alias in
        guard let source = alias.function, copied[unit]?.contains(alias) != true else { return nil }
        let context = index.context(of: source, on: unit)
        if let context, context.translation != .none {
          // The ids are compared elsewhere; what is left is one id with another table or type.
          guard context.domainID == own.domainID,
            context.table != own.table || context.translation != own.translation
          else { return nil }
          return finding(
            .another(alias), unit: unit, device: device.device,
            evidence: [own.evidence, context.evidence])
        }
        let blocked = index.anyContext(of: source, on: unit)
        return finding(
          .missing(alias, hasContext: blocked != nil), unit: unit, device: device.device,
          evidence: [own.evidence] + [blocked?.evidence].compactMap(\.self))
      }
    }
  }
}

extension Finding.Message {
  fileprivate static func missing(_ alias: DeviceName, hasContext: Bool) -> Self {
    let entry = hasContext ? "PASID entry for requests without PASID" : "context entry"
    return
      "requests of the device can arrive as \(alias), which has no present \(entry); they fault,"
      + " although the device itself has a context"
  }

  fileprivate static func another(_ alias: DeviceName) -> Self {
    "requests of the device can arrive as \(alias), whose context has the same domain-id and"
      + " another table or translation type"
  }
}
