// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Mapping {
  /// How the runs map a region that is meant to be mapped onto itself.
  ///
  /// - Parameter region: I/O virtual addresses, inclusive; widened to whole pages, because tables
  ///   map nothing smaller.
  func coverage(of region: ClosedRange<UInt64>) -> ReservedRegion.Coverage {
    let pages = (region.lowerBound & ~0xfff)...(region.upperBound | 0xfff)
    var next: UInt64? = pages.lowerBound
    var isComplete = true
    var mapsAnything = false
    for run in runs(touching: pages) {
      mapsAnything = true
      guard run.iova.rawValue == run.physical.rawValue, run.access == .readWrite else {
        return .other
      }
      if let start = next, run.iova.rawValue > start { isComplete = false }
      let end = run.addresses.upperBound
      next = end >= pages.upperBound ? nil : end + 1
    }
    if !mapsAnything { return .absent }
    return isComplete && next == nil ? .identity : .partial
  }
}
