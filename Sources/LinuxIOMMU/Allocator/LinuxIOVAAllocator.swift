// SPDX-License-Identifier: Apache-2.0

/// The state of one `struct iova_domain` with its caches and flush queues.
///
/// Numbers count granules, not bytes: an address is its number times `granule`.
public struct LinuxIOVAAllocator: Hashable, Sendable {
  /// Bytes per page frame number; 4096 for VT-d.
  public var granule: UInt64
  /// Nodes of the tree without the anchor, ascending by `low`; both ends inclusive.
  public var nodes: [Node] = []
  /// Start numbers of ranges in the per-CPU caches and their depots.
  public var cached: Set<UInt64> = []
  /// Start numbers of ranges in a flush queue: `true` while the invalidation is outstanding.
  public var queued: [UInt64: Bool] = [:]

  public struct Node: Hashable, Sendable {
    public var low: UInt64
    /// Inclusive.
    public var high: UInt64
  }

  public init(granule: UInt64) {
    self.granule = granule
  }
}
