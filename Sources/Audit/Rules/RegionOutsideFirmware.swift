// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Every reserved memory region lies inside memory that firmware keeps for itself.
///
/// One that overlaps usable memory is another rule's.
///
/// Source: `arch_rmrr_sanity_check`, which taints the kernel and keeps the region. Severity: warning;
/// Linux may give the addresses to somebody else.
struct RegionOutsideFirmware: AuditRule {
  static let id = "region.outside-firmware"
  static let severity = Finding.Severity.warning
  static let needs: Set<AuditNeed> = [.kernel, .memoryMap]

  func check(_ state: RemappingState) -> [Finding] {
    let firmware = AddressRanges(state.memoryMap, [.firmware])
    let memory = AddressRanges(state.memoryMap, [.memory])
    guard !firmware.isEmpty else { return [] }
    return state.reservedRegions.compactMap { region in
      guard region.kind == .rmrr, let range = region.range, !memory.overlaps(range),
        !firmware.covers(range)
      else { return nil }
      return finding(
        .outside(region), device: region.devices.count == 1 ? region.devices.first : nil,
        evidence: [Evidence(what: "reserved region", address: HexWord(region.base.rawValue))])
    }
  }
}

extension Finding.Message {
  fileprivate static func outside(_ region: ReservedRegion) -> Self {
    "the reserved region \(region.base) to \(region.end) is not inside any range that firmware"
      + " reserves"
  }
}
