// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Everything that a DMA domain maps lies in a node of its IOVA allocator.
///
/// Reserved regions and the ISA window are mapped without a node by older kernels. Domains without
/// an allocator, or whose allocator could not be read to its end, are not judged.
///
/// Source: `struct iova_domain`, `intel_unmap`, `__iommu_dma_unmap`. Severity: error; a mapping that
/// was never removed lets a device reach memory that is somebody else's by now.
struct MappedNotAllocated: AuditRule {
  static let id = "domain.mapped-not-allocated"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .allocators, .pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    let fixed = state.reservedRegions.filter { $0.kind != .msi }
      .map { (start: $0.base, end: $0.end) }.sorted { $0.start < $1.start }
    var reported: Set<KernelAddress> = []
    return state.domains.compactMap { domain in
      guard domain.isDMA, let unallocated = domain.iova?.unallocated else { return nil }
      let stale = unallocated.flatMap { Self.outside($0, fixed) }
      guard let first = stale.first else { return nil }
      // A domain on two units is two rows with one allocator.
      if let object = domain.kernelObject, !reported.insert(object).inserted { return nil }
      return finding(
        .stale(domain, count: stale.count, first), about: domain)
    }
  }

  /// The parts of `range` that lie in none of `fixed`, which are sorted by their start.
  private static func outside(
    _ range: AddressRange, _ fixed: [(start: IOVirtualAddress, end: IOVirtualAddress)]
  ) -> [AddressRange] {
    var rest: [AddressRange] = []
    var start = range.start
    for region in fixed where region.end >= start && region.start <= range.end {
      if region.start > start {
        rest.append(
          AddressRange(start: start, end: IOVirtualAddress(region.start.rawValue &- 1)))
      }
      guard let next = region.end.advanced(by: 1) else { return rest }
      start = max(start, next)
    }
    if start <= range.end { rest.append(AddressRange(start: start, end: range.end)) }
    return rest
  }
}

extension Finding.Message {
  fileprivate static func stale(_ domain: Domain, count: Int, _ first: AddressRange) -> Self {
    let ranges = count == 1 ? "1 range" : "\(count) ranges"
    return "\(domain.name) maps \(ranges) in no node of its IOVA allocator, the first is"
      + " \(first.start) to \(first.end)"
  }
}
