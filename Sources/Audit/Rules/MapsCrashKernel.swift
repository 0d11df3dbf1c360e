// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No domain maps the memory that is set aside for the crash kernel.
///
/// Identity domains built of tables map all of memory and are not judged here, nor is pass-through.
///
/// Source: `crashk_res`, `crashk_low_res`. Severity: error where a device may write, warning where it
/// may read; DMA in flight would overwrite the crash kernel.
struct MapsCrashKernel: MappingRule {
  static let id = "domain.maps-crash-kernel"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.pageTables, .memoryMap]

  func check(_ state: RemappingState, _ mappings: MappingFacts) -> [Finding] {
    zip(state.domains, mappings.domains).compactMap { domain, facts in
      guard !facts.crashKernel.isEmpty else { return nil }
      return finding(
        .maps(domain, facts.crashKernel),
        severity: facts.crashKernel.isWritable ? .error : .warning,
        unit: domain.unit, device: domain.onlyDevice, evidence: domain.evidence)
    }
  }
}

extension Finding.Message {
  fileprivate static func maps(_ domain: Domain, _ overlap: MappedOverlap) -> Self {
    "\(domain.name) maps memory of the crash kernel: \(overlap)"
  }
}
