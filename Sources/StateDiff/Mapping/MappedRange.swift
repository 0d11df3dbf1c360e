// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// A run with inclusive bounds, fit for a sweep: sorted, disjoint, never empty, never wrapping.
struct MappedRange: Hashable {
  var start: UInt64
  /// Inclusive.
  var end: UInt64
  /// Of `start`.
  var physical: UInt64
  var access: Access

  /// The runs of a mapping, whoever wrote it: a report from elsewhere may hold runs that overlap or
  /// leave the address space. Of two that overlap, the first counts.
  static func ranges(of mapping: Mapping?) -> [MappedRange] {
    guard let mapping else { return [] }
    var ranges: [MappedRange] = []
    ranges.reserveCapacity(mapping.runs.count)
    for run in mapping.runs.sorted(by: { $0.iova < $1.iova }) where run.length.rawValue > 0 {
      let start = run.iova.rawValue
      let (sum, overflow) = start.addingReportingOverflow(run.length.rawValue - 1)
      var range = MappedRange(
        start: start, end: overflow ? .max : sum, physical: run.physical.rawValue,
        access: run.access)
      if let last = ranges.last, last.end >= range.start {
        guard last.end < range.end else { continue }
        range = range.suffix(from: last.end + 1)
      }
      ranges.append(range)
    }
    return ranges
  }

  /// The part from `address`, which lies inside, on.
  func suffix(from address: UInt64) -> MappedRange {
    MappedRange(
      start: address, end: end, physical: physical &+ (address &- start), access: access)
  }

  /// The differences of two lists, by address; neighbours that go on without a break are one.
  static func changes(
    from old: [MappedRange], to new: [MappedRange], key: RowKey, ignorePhysical: Bool
  ) -> [MappingChange] {
    var changes: [MappingChange] = []
    var (i, j) = (0, 0)
    var position: UInt64? = 0
    while let start = position, i < old.count || j < new.count {
      let before = i < old.count ? old[i] : nil
      let after = j < new.count ? new[j] : nil
      let isInOld = before.map { $0.start <= start } ?? false
      let isInNew = after.map { $0.start <= start } ?? false
      // The part ends where the first of the two changes its mind.
      var end = UInt64.max
      if let before { end = min(end, isInOld ? before.end : before.start - 1) }
      if let after { end = min(end, isInNew ? after.end : after.start - 1) }
      let x = isInOld ? before.map { target($0, start, ignorePhysical) } : nil
      let y = isInNew ? after.map { target($0, start, ignorePhysical) } : nil
      if x != y {
        append(
          MappingChange(
            key: key, start: IOVirtualAddress(start), end: IOVirtualAddress(end), old: x, new: y),
          to: &changes)
      }
      if let before, before.end == end { i += 1 }
      if let after, after.end == end { j += 1 }
      position = end == .max ? nil : end + 1
    }
    return changes
  }

  private static func target(
    _ range: MappedRange, _ start: UInt64, _ ignorePhysical: Bool
  ) -> MappingChange.Target {
    MappingChange.Target(
      physical: ignorePhysical ? nil : PhysicalAddress(range.physical &+ (start &- range.start)),
      access: range.access)
  }

  private static func append(_ change: MappingChange, to changes: inout [MappingChange]) {
    guard let last = changes.last, last.end.rawValue &+ 1 == change.start.rawValue,
      goesOn(last.old, change.old, last.bytes), goesOn(last.new, change.new, last.bytes)
    else {
      changes.append(change)
      return
    }
    changes[changes.count - 1].end = change.end
  }

  private static func goesOn(
    _ a: MappingChange.Target?, _ b: MappingChange.Target?, _ distance: UInt64
  ) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    guard a.access == b.access else { return false }
    return (a.physical.map { $0.rawValue &+ distance }) == b.physical?.rawValue
  }
}
