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
  static let needs: Set<AuditNeed> = [.firmwareRegions, .pageTables, .memoryMap]

  func check(_ state: RemappingState, _ mappings: MappingFacts) -> [Finding] {
    findings(state, mappings, \.crashKernel, of: "memory of the crash kernel")
  }
}
