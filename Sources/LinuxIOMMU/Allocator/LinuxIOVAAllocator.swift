// SPDX-License-Identifier: Apache-2.0

/// The state of one `struct iova_domain` with its caches and flush queues.
///
/// Numbers count granules, not bytes: an address is its number times `granule`.
public struct LinuxIOVAAllocator: Hashable, Sendable {
  /// Bytes per page frame number; 4096 for VT-d.
  public var granule: UInt64
  /// Nodes of the tree without the anchor, ascending by `low`; both ends inclusive.
  public var nodes: [Node] = []
  /// Whether some nodes of the tree could not be read, so that nothing follows from what none covers.
  public var lacksNodes = false
  /// Start numbers of ranges in the per-CPU caches and their depots.
  public var cached: Set<UInt64> = []
  /// Whether some caches or depots could not be read, so that any range may be in one of them.
  public var lacksCaches = false
  /// Start numbers of ranges in a flush queue: `true` while the invalidation is outstanding.
  public var queued: [UInt64: Bool] = [:]
  /// Whether some flush queues could not be read, so that any range may be in one of them.
  public var lacksQueues = false

  /// Whose allocator it is, which tells the ranges that were taken out of it at its making.
  public var owner: Owner

  /// Who made an allocator.
  public enum Owner: Hashable, Sendable {
    /// dma-iommu's cookie: the windows of host bridges are reserved in it, for a PCI device.
    ///
    /// Source: drivers/iommu/dma-iommu.c, `iova_reserve_pci_windows`.
    case cookie
    /// The driver itself: it copies the ranges of `reserved_iova_list`, the resources of PCI functions
    /// among them, and knows nothing of windows.
    ///
    /// Source: drivers/iommu/intel-iommu.c, `dmar_init_reserved_ranges`, up to Linux v5.10.
    case driver
  }

  public struct Node: Hashable, Sendable {
    public var low: UInt64
    /// Inclusive.
    public var high: UInt64
  }

  public init(granule: UInt64, owner: Owner = .cookie) {
    self.granule = granule
    self.owner = owner
  }
}
