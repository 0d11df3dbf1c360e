// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A unit with present context entries translates.
///
/// The register is in no dump; the kernel's shadow of it (`intel_iommu.gcmd`, bit 31) may be stale
/// for a few instructions around a change.
///
/// Source: `iommu_enable_translation`; VT-d specification, section 11.4.4. Severity: error; DMA of
/// every device behind the unit is untranslated.
struct TranslationOff: AuditRule {
  static let id = "unit.translation-off"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel]

  func check(_ state: RemappingState) -> [Finding] {
    state.units.compactMap { unit in
      let count = state.contexts.count { $0.unit == unit.name }
      guard unit.translationEnabled == false, count > 0, unit.ignored != true else { return nil }
      return finding(
        .off(count), unit: unit.name,
        evidence: [Evidence(what: "intel_iommu.gcmd", words: unit.globalCommand.map { [$0] } ?? [])]
      )
    }
  }
}

extension Finding.Message {
  fileprivate static func off(_ count: Int) -> Self {
    "translation is off, although \(count) context entries are present: DMA goes untranslated"
  }
}
