// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every present context entry belongs to a device that the kernel knows.
///
/// Aliases have entries of their own and no `struct device_domain_info`; so have phantom functions,
/// which are recognised by a known device's table. Entries that a crash kernel copied are the
/// previous kernel's.
///
/// Source: `domain_context_mapping`, `pci_for_each_dma_alias`. Severity: warning; the entry may let
/// a device reach memory that nobody manages.
struct UnknownDevice: AuditRule {
  static let id = "context.unknown-device"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.kernel, .devices, .attachments, .contexts]

  func check(_ state: RemappingState) -> [Finding] {
    guard state.hasKernel, state.devicesAreComplete, state.attachmentsAreComplete else { return [] }
    var known: Set<DeviceName> = []
    for device in state.devices {
      known.insert(device.device)
      known.formUnion(device.aliases)
    }
    var knownTables: Set<TableKey> = []
    for context in state.contexts where known.contains(.pci(context.device)) {
      if let key = TableKey(context) { knownTables.insert(key) }
    }
    let copied = state.copiedContexts
    var reported: Set<PCIFunction> = []
    return state.contexts.compactMap { context in
      let name = DeviceName.pci(context.device)
      guard !known.contains(name), copied[context.unit]?.contains(name) != true else { return nil }
      if let key = TableKey(context), knownTables.contains(key) { return nil }
      // One finding per source id, not one per PASID.
      guard reported.insert(context.device).inserted else { return nil }
      return finding(
        .unknown(context), unit: context.unit, device: name, evidence: [context.evidence])
    }
  }

  private struct TableKey: Hashable {
    var unit: String
    var domainID: UInt32?
    var table: PhysicalAddress

    init?(_ context: Context) {
      guard let table = context.table else { return nil }
      unit = context.unit
      domainID = context.domainID
      self.table = table
    }
  }
}

extension Finding.Message {
  fileprivate static func unknown(_ context: Context) -> Self {
    "a present entry with \(context.translation.rawValue) translation belongs to no device that the"
      + " kernel knows, nor to an alias of one"
  }
}
