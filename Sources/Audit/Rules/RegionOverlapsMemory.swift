// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No reserved memory region overlaps memory that Linux uses.
///
/// Source: `arch_rmrr_sanity_check`, which taints the kernel and keeps the region. Severity: error;
/// firmware's device may write over whatever Linux keeps there.
struct RegionOverlapsMemory: AuditRule {
  static let id = "region.overlaps-memory"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .memoryMap]

  func check(_ state: RemappingState) -> [Finding] {
    let memory = AddressRanges(state.memoryMap, [.memory])
    return state.reservedRegions.compactMap { region in
      guard region.kind == .rmrr,
        let overlap = region.range.flatMap({ memory.overlap($0) })
      else { return nil }
      return finding(
        .overlaps(region, overlap),
        device: region.devices.count == 1 ? region.devices.first : nil,
        evidence: [Evidence(what: "reserved region", address: HexWord(region.base.rawValue))])
    }
  }
}

extension Finding.Message {
  fileprivate static func overlaps(
    _ region: ReservedRegion, _ overlap: ClosedRange<UInt64>
  ) -> Self {
    "the reserved region \(region.base) to \(region.end) overlaps usable memory from"
      + " \(overlap.lowerBound.hexadecimal) on; the firmware's table is wrong"
  }
}
