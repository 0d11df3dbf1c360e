// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A device's context entry translates if the kernel's domain maps, and not if it must block.
///
/// Identity domains may pass through or be built of tables, both are right.
///
/// Source: `domain_context_mapping_one`, `intel_pasid_setup_pass_through`. Severity: error; the
/// device reaches all of memory, or memory that the kernel thinks is blocked.
struct TranslationMismatch: AuditRule {
  static let id = "context.translation-mismatch"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .contexts]

  func check(_ state: RemappingState) -> [Finding] {
    let index = StateIndex(state)
    let copied = state.copiedContexts
    return state.devices.compactMap { device in
      guard let unit = device.unit, let function = device.device.function,
        copied[unit]?.contains(device.device) != true,
        let type = index.domainType(of: device),
        let context = index.context(of: function, on: unit),
        contradicts(context.translation, type)
      else { return nil }
      return finding(
        .mismatch(context.translation, type), unit: unit, device: device.device,
        evidence: [context.evidence] + device.evidence)
    }
  }

  private func contradicts(_ translation: Translation, _ type: DomainType) -> Bool {
    switch (type, translation) {
    case (.dma, .passThrough), (.dmaFQ, .passThrough), (.unmanaged, .passThrough),
      (.nested, .passThrough):
      true
    case (.blocked, .none): false
    case (.blocked, _): true
    default: false
    }
  }
}

extension Finding.Message {
  fileprivate static func mismatch(_ have: Translation, _ expected: DomainType) -> Self {
    "the hardware does \(have.rawValue) translation, the kernel's record is a domain of type"
      + " \(expected.rawValue)"
  }
}
