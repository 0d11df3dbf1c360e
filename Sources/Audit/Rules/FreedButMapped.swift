// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
import Memory
import RemappingState

/// A range that the IOVA allocator holds for free is not mapped any more.
///
/// Leaves are cleared before the range goes to a flush queue or to a per-CPU cache.
///
/// Source: `queue_iova`, `free_iova_fast`. Severity: error; the next owner of the range or of the
/// memory behind it meets the old mapping. A crash in the middle of an unmap may look alike.
struct FreedButMapped: AuditRule {
  static let id = "domain.freed-but-mapped"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .allocators, .pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    var reported: Set<KernelAddress> = []
    return state.domains.compactMap { domain in
      guard let space = domain.iova, let mapping = domain.mapping else { return nil }
      let freed = space.allocated.filter { [.cached, .pending, .flushed].contains($0.state) }
      let mapped = Self.overlapping(freed, mapping.runs)
      guard let first = mapped.first else { return nil }
      if let object = domain.kernelObject, !reported.insert(object).inserted { return nil }
      return finding(
        .mapped(domain, count: mapped.count, first), about: domain)
    }
  }

  /// The ranges that at least one run reaches into.
  private static func overlapping(_ ranges: [IOVARange], _ runs: [Run]) -> [IOVARange] {
    guard !ranges.isEmpty else { return [] }
    // Both are sorted in a state of ours; one that was read from a file may be anything.
    let isSorted = zip(runs, runs.dropFirst()).allSatisfy { $0.iova <= $1.iova }
    let runs = isSorted ? runs : runs.sorted { $0.iova < $1.iova }
    return ranges.filter { range in
      // The first run that starts behind the range; the one before it is the only candidate,
      // because runs are disjoint.
      let next = runs.partitioningIndex { $0.iova > range.end }
      guard next > 0, runs[next - 1].length.rawValue > 0 else { return false }
      let last = runs[next - 1].iova.advanced(by: runs[next - 1].length.rawValue - 1)
      return last.map { $0 >= range.start } ?? true
    }
  }
}

extension Finding.Message {
  fileprivate static func mapped(_ domain: Domain, count: Int, _ first: IOVARange) -> Self {
    let ranges = count == 1 ? "1 range that was" : "\(count) ranges that were"
    return "\(domain.name) still maps \(ranges) freed, the first is \(first.start) to"
      + " \(first.end) (\(first.state.rawValue))"
  }
}
