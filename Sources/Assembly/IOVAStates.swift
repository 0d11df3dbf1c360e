// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
internal import Memory
internal import RemappingState

extension IOVASpace {
  /// The allocator's nodes with their states, and what is mapped outside them, where that is known.
  ///
  /// - Parameters:
  ///   - allocator: as the kernel holds it.
  ///   - mapping: what the tables map; `nil` if unknown, then no node is live.
  ///   - reserved: ranges that are kept out of use.
  ///   - isReservedComplete: whether those are all of them.
  init(
    _ allocator: LinuxIOVAAllocator, mapping: Mapping?, reserved: AddressRanges,
    isReservedComplete: Bool = true
  ) {
    let runs = mapping?.runs ?? []
    var nodes: [ClosedRange<UInt64>] = []
    nodes.reserveCapacity(allocator.nodes.count)
    var allocated: [IOVARange] = []
    allocated.reserveCapacity(allocator.nodes.count)
    // Nodes and runs both ascend, so one pass over the runs serves all nodes.
    var next = 0
    for node in allocator.nodes {
      let start = node.low &* allocator.granule
      let end = node.high &* allocator.granule | (allocator.granule - 1)
      guard start <= end else { continue }
      while next < runs.count, runs[next].addresses.upperBound < start { next += 1 }
      let hasLeaf = next < runs.count && runs[next].iova.rawValue <= end
      let state: IOVARange.State =
        if reserved.overlaps(start...end) {
          .reserved
        } else if let isPending = allocator.queued[node.low] {
          isPending ? .pending : .flushed
        } else if allocator.cached.contains(node.low) {
          .cached
        } else {
          hasLeaf ? .live : .unmapped
        }
      allocated.append(
        IOVARange(start: IOVirtualAddress(start), end: IOVirtualAddress(end), state: state))
      nodes.append(start...end)
    }
    let covered = AddressRanges(nodes)
    var unallocated = AddressRanges.Builder()
    var locator = RangeLocator(covered)
    for run in runs {
      let addresses = run.addresses
      switch locator.place(of: addresses) {
      case .inside: break
      case .outside: unallocated.add(addresses)
      case .across: covered.forEachGap(in: addresses) { unallocated.add($0) }
      }
    }
    self.init(
      allocated: allocated,
      unallocated: allocator.lacksNodes
        ? nil
        : unallocated.ranges.ranges.map {
          AddressRange(
            start: IOVirtualAddress($0.lowerBound), end: IOVirtualAddress($0.upperBound))
        },
      uncertain: (allocator.lacksCaches ? [.cached] : [])
        + (allocator.lacksQueues ? [.pending, .flushed] : [])
        + (isReservedComplete ? [] : [.reserved]))
  }
}
