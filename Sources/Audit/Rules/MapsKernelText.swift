// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No domain maps the kernel's code.
///
/// Identity domains built of tables map all of memory and are not judged.
///
/// Source: `code_resource`, arch/x86/kernel/setup.c. Severity: error where a device may write,
/// warning where it may read.
struct MapsKernelText: MappingRule {
  static let id = "domain.maps-kernel-text"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.pageTables, .memoryMap, .kernelText]

  func check(_ state: RemappingState, _ mappings: MappingFacts) -> [Finding] {
    zip(state.domains, mappings.domains).compactMap { domain, facts in
      guard !facts.kernelText.isEmpty else { return nil }
      return finding(
        .maps(domain, facts.kernelText),
        severity: facts.kernelText.isWritable ? .error : .warning,
        unit: domain.unit, device: domain.onlyDevice, evidence: domain.evidence)
    }
  }
}

extension Finding.Message {
  fileprivate static func maps(_ domain: Domain, _ overlap: MappedOverlap) -> Self {
    "\(domain.name) maps the kernel's code: \(overlap)"
  }
}
