// SPDX-License-Identifier: Apache-2.0

/// How a kernel copies root and context tables: what differs between kernels, as data.
///
/// Source: drivers/iommu/intel/iommu.c (earlier drivers/iommu/intel-iommu.c),
/// `copy_translation_tables` and `copy_context_table`. Since Linux commit 091d42e43d21 ("iommu/vt-d:
/// Copy translation tables from old kernel") (in v4.2); changed by 0c5f6c0d8201 ("iommu/vt-d: Fix
/// kdump kernels boot failure with scalable mode") (in v6.0 and stable kernels).
public struct ContextCopyRule: Hashable, Sendable {
  /// How the copy's entries are told from the crash kernel's own.
  public enum Marker: Hashable, Sendable {
    /// A bitmap beside the tables; entries stay as they are.
    case bitmap
    /// Bit 67 of the entry is set and bit 11 (PASID enable in extended mode) is cleared.
    case bit67
  }

  /// Where the copy of an upper table goes on a bus that has no lower one.
  public enum UpperOnly: Hashable, Sendable {
    /// Into the upper half of the root entry.
    case upperHalf
    /// Into the lower half: the table's position is counted, not looked up.
    case lowerHalf
  }

  public var marker: Marker
  /// Whether root entries have two halves and context entries 32 bytes, as this code believes.
  ///
  /// Code of 5.0 to 5.19 does not know scalable mode and reads it as legacy.
  public var readsHalves: Bool
  public var upperOnly: UpperOnly
  /// Whether entries that fail a sanity check are left out; no kernel does that.
  public var dropsBadEntries: Bool

  public init(
    marker: Marker, readsHalves: Bool, upperOnly: UpperOnly = .upperHalf,
    dropsBadEntries: Bool = false
  ) {
    self.marker = marker
    self.readsHalves = readsHalves
    self.upperOnly = upperOnly
    self.dropsBadEntries = dropsBadEntries
  }
}
