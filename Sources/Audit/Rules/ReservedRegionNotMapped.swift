// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A DMA domain maps the reserved regions (RMRR) of its devices one to one.
///
/// Pass-through counts as mapped. Domains that VFIO or iommufd manage have no such mappings, and
/// nothing is expected where no domain is attached. If a table could not be read, absence is not
/// proven and only a warning.
///
/// Source: VT-d specification, section 8.4; `iommu_create_device_direct_mappings`. Severity: error;
/// firmware's use of the region faults, often after the crash too.
struct ReservedRegionNotMapped: AuditRule {
  static let id = "region.not-mapped"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    let index = StateIndex(state)
    return state.devices.flatMap { device -> [Finding] in
      guard let domain = index.kernelDomain(of: device), domain.isDMA else { return [] }
      return device.reservedRegions.compactMap { region in
        guard region.kind == .rmrr, let mapped = region.mapped, mapped != .identity else {
          return nil
        }
        let isProven = mapped == .other || domain.isFullyWalked
        return finding(
          .notMapped(region, mapped, isProven: isProven), severity: isProven ? .error : .warning,
          unit: device.unit, device: device.device,
          evidence: [
            Evidence(what: "reserved region", address: HexWord(region.base.rawValue))
          ] + domain.evidence)
      }
    }
  }
}

extension Finding.Message {
  fileprivate static func notMapped(
    _ region: DeviceRegion, _ mapped: ReservedRegion.Coverage, isProven: Bool
  ) -> Self {
    let what =
      switch mapped {
      case .partial: "only partly mapped"
      case .other: "mapped to another address or with less than read and write"
      default: "not mapped"
      }
    let doubt = isProven ? "" : "; some of the domain's tables could not be read"
    return "the reserved region \(region.base) to \(region.end) is \(what)\(doubt)"
  }
}
