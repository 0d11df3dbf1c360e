// SPDX-License-Identifier: Apache-2.0

/// What a page of memory was used for when the kernel crashed.
public struct PageState: Hashable, Sendable {
  public var kind: Kind
  /// The slab cache's name, the file's inode and file system, the table's kind, or why nothing is
  /// known.
  public var detail: String?

  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// In the page allocator, or on a list on its way to it.
    case free
    case slab
    case pageCache = "page-cache"
    case anonymous
    case pageTable = "page-table"
    /// A network driver's receive buffer, in a page pool.
    case pagePool = "page-pool"
    case kernelText = "kernel-text"
    /// The kernel image beyond its text.
    case kernelData = "kernel-data"
    /// A root, context, PASID or page table of a remapping unit.
    case iommuTable = "iommu-table"
    /// RAM that the allocator never had: firmware, crash kernel, boot-time memory.
    case reserved
    /// In use by the kernel, and nothing tells for what.
    case kernel
    /// No RAM that the dump describes: device registers or firmware ranges.
    case mmio
    /// The page's descriptor cannot be read.
    case unknown
  }

  public init(_ kind: Kind, _ detail: String? = nil) {
    self.kind = kind
    self.detail = detail
  }
}
