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
  static let needs: Set<AuditNeed> = [.firmwareRegions, .pageTables, .memoryMap, .kernelText]

  func check(_ state: RemappingState, _ mappings: MappingFacts) -> [Finding] {
    findings(state, mappings, \.kernelText, of: "the kernel's code")
  }
}
