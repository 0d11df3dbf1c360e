// SPDX-License-Identifier: Apache-2.0

/// Generations of the kernel code that copies tables.
public enum CopyVariant: String, CaseIterable, Hashable, Sendable {
  /// No such code: translation is switched off (before 4.2).
  case v0
  /// 4.2 to 5.19: copied entries are marked with their bit 67.
  case v1
  /// From the scalable-mode fix on: a bitmap `copied_tables`; a bus with only an upper context table
  /// gets its copy in the wrong half.
  case v2a
  /// As `v2a`, with that corrected (7.2; 6.1 stable).
  case v2b
}

/// What the crash kernel's code is like: told by the crashed kernel's types, because it usually is
/// the same build, or by the user.
public struct CrashKernelTraits: Hashable, Sendable {
  public var variant: CopyVariant
  /// Whether `variant` could as well be the other one of `v2a` and `v2b`: no type tells them apart.
  public var isAmbiguous: Bool
  /// Domain-ids come from an allocator that starts at 2 (`domain_ida`) and not from a bitmap.
  public var allocatesIDsFromTwo: Bool
  /// Domain-ids that the kernel sets aside at the start, in the bitmap.
  public var setAside: Set<UInt32>
  /// Whether an attach is known to clear an inherited legacy context entry before it flushes the
  /// unit's cache of it, and to write the new one after that: `copied_context_tear_down`, a function
  /// of its own since Linux v6.12 ("iommu/vt-d: Factor out helpers from
  /// domain_context_mapping_one()"). Code before that flushes first, while the old entry is still
  /// there to be cached again.
  public var clearsBeforeFlush = false

  public init(
    variant: CopyVariant, isAmbiguous: Bool = false, allocatesIDsFromTwo: Bool = false,
    setAside: Set<UInt32> = [0]
  ) {
    self.variant = variant
    self.isAmbiguous = isAmbiguous
    self.allocatesIDsFromTwo = allocatesIDsFromTwo
    self.setAside = setAside
  }

  /// Decides by the members of `struct intel_iommu`.
  ///
  /// - Parameters:
  ///   - hasFlags: `flags`, since Linux commit 4158c2eca9ec ("iommu/vt-d: Detect pre enabled
  ///     translation") (in v4.2).
  ///   - hasBitmap: `copied_tables`, since 0c5f6c0d8201 (in v6.0 and stable kernels).
  ///   - hasIDA: `domain_ida` (in v6.16), in place of the bitmap `domain_ids`.
  ///   - hasMaximumID: `max_domain_id`, which only kernels have that also have `v2b`.
  public init(hasFlags: Bool, hasBitmap: Bool, hasIDA: Bool, hasMaximumID: Bool) {
    self.init(
      variant: hasBitmap ? hasMaximumID ? .v2b : .v2a : hasFlags ? .v1 : .v0,
      isAmbiguous: hasBitmap && !hasMaximumID, allocatesIDsFromTwo: hasIDA)
  }
}
