// SPDX-License-Identifier: Apache-2.0

internal import Evidence
internal import KernelImage
internal import RemappingState

/// How a kernel goes through domains and prints them, named after the first release that did so.
///
/// Source: drivers/iommu/intel/debugfs.c of v5.15.85, v6.0 (commit 20693782766d) and of a tree of
/// 2026; commits d87731f60931 and 2b437e804566 (both v6.7).
public enum DebugfsGeneration: String, CaseIterable, Sendable {
  /// Up to 5.17: each device of the bus with its own domain, and the domain's default PASID.
  case withPASID = "5.10"
  /// 5.18 and 5.19: without the PASID; domains have none any more.
  case ownDomain = "5.18"
  /// 6.0 to 6.6: for each device of the bus the first one of its group.
  case firstOfGroup = "6.0"
  /// Since 6.7: a file for each device and PASID, as the hardware's tables have them.
  case filePerSpace = "6.7"

  /// The generation of a kernel of this release; `nil` if it is not known.
  public init?(release: String?) {
    let parts = (release ?? "").split(whereSeparator: { !$0.isNumber }).prefix(2).map {
      Int($0) ?? 0
    }
    guard parts.count == 2 else { return nil }
    switch (parts[0], parts[1]) {
    case (...4, _), (5, ...17): self = .withPASID
    case (5, _): self = .ownDomain
    case (6, ...6): self = .firstOfGroup
    default: self = .filePerSpace
    }
  }

  /// The generation of the kernel in a dump, and where its types and its release contradict each
  /// other, what each of them says; the newest one if nothing tells.
  ///
  /// The members come first: each generation of the text came in one series with a change of the
  /// driver's structures. The text itself is in no type, so where a kernel that carries its upstream
  /// drivers names a release of another generation, which no build can bring about, the release is
  /// taken, and the contradiction is told.
  static func of(
    _ evidence: DumpEvidence
  ) -> (generation: DebugfsGeneration, contradiction: (types: Self, release: Self)?) {
    let release = evidence.state.dump.release
    let ofTypes = evidence.kernel.flatMap { Self(kernel: $0.image) }
    let ofRelease = Self(release: release)
    guard let ofTypes, let ofRelease, ofTypes != ofRelease, !putsNewDriversUnderOldNumbers(release)
    else { return (ofTypes ?? ofRelease ?? .filePerSpace, nil) }
    return (ofRelease, (ofTypes, ofRelease))
  }

  /// As RHEL, its rebuilds and SUSE do.
  static func putsNewDriversUnderOldNumbers(_ release: String?) -> Bool {
    guard let release else { return true }
    return release.contains(".el") || release.hasSuffix("-default")
  }

  /// By the members of the driver's structures; `nil` if those are not known.
  ///
  /// `default_pasid`, which the oldest form prints, went with auxiliary domains (v5.18). The lock of
  /// a domain came in the series that made the walk start from groups (v6.0), and `debugfs_dentry` in
  /// the one that gave each space its file (v6.7); without CONFIG_INTEL_IOMMU_DEBUGFS, where no such
  /// file is and the form is a convention, `nested_parent` of the same release stands for it.
  private init?(kernel image: KernelImage) {
    func has(_ structure: String, _ member: String) -> Bool? { try? image.has(structure, member) }
    guard let hasPASID = has("dmar_domain", "default_pasid") else { return nil }
    if hasPASID {
      self = .withPASID
    } else if has("device_domain_info", "debugfs_dentry") == true
      || has("dmar_domain", "nested_parent") == true
    {
      self = .filePerSpace
    } else {
      self = has("dmar_domain", "lock") == true ? .firstOfGroup : .ownDomain
    }
  }
}
