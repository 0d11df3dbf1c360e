// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// The top of a page table and its depth.
public struct StageRoot: Hashable, Sendable {
  /// Page-aligned; low bits are not looked at.
  public var table: PhysicalAddress
  /// 2 to 5 can be walked.
  public var levels: Int

  public init(table: PhysicalAddress, levels: Int) {
    self.table = table
    self.levels = levels
  }
}

/// What a context translates through: everything that a walk has to know about the tables.
public struct AddressSpace: Hashable, Sendable {
  public var stage: Stage
  /// The table that an I/O virtual address is looked up in; if `nesting` is there, its address and
  /// every address inside the tables is guest-physical.
  public var root: StageRoot
  /// The second stage below a first stage: nested translation.
  public var nesting: StageRoot?
  /// First stage only: with which privilege requests come; by default with any.
  public var privilege: RequestPrivilege
  /// Second stage: whether SNP of a leaf is not looked at, whatever ECAP.SC says.
  ///
  /// That is so below a PASID entry: Linux 5.13 to 5.17 set SNP in scalable mode on units without
  /// snoop control (commit 6c00612d0cba), and hardware translates such leaves; QEMU takes the bit
  /// out of its mask in scalable mode (hw/i386/intel_iommu.c, `vtd_init`).
  public var snoopsAlways: Bool

  public init(
    stage: Stage, root: StageRoot, nesting: StageRoot? = nil,
    privilege: RequestPrivilege = .supervisor(obeysReadOnly: true), snoopsAlways: Bool = false
  ) {
    self.stage = stage
    self.root = root
    self.nesting = nesting
    self.privilege = privilege
    self.snoopsAlways = snoopsAlways
  }

  /// A second-stage table: legacy and extended contexts, PASID entries with PGTT 2.
  public static func secondStage(_ table: PhysicalAddress, levels: Int) -> Self {
    Self(stage: .second, root: StageRoot(table: table, levels: levels))
  }

  /// A first-stage table: PASID entries with PGTT 1.
  public static func firstStage(_ table: PhysicalAddress, levels: Int) -> Self {
    Self(stage: .first, root: StageRoot(table: table, levels: levels))
  }

  /// A first-stage table in guest memory over a second-stage table: PASID entries with PGTT 3.
  public static func nested(
    _ table: PhysicalAddress, levels: Int, over second: StageRoot
  ) -> Self {
    Self(stage: .first, root: StageRoot(table: table, levels: levels), nesting: second)
  }

  /// The tables whose pointers are host-physical, read whole: the second stage of nested ones, and
  /// pages of any privilege.
  public var hostTables: Self {
    if let nesting {
      return Self(stage: .second, root: nesting, snoopsAlways: true)
    }
    return Self(stage: stage, root: root, snoopsAlways: snoopsAlways)
  }

  /// The same space with its host-physical tables at another place.
  public func moved(to root: StageRoot) -> Self {
    var space = self
    if nesting == nil { space.root = root } else { space.nesting = root }
    return space
  }

  /// Bits of an I/O virtual address that the tables translate: 12 + 9 per level.
  public var width: Int { 12 + 9 * root.levels }

  /// The rules for the tables that an address is looked up in.
  func rules(unit: UnitCapabilities?) -> PagingRules {
    PagingRules(
      stage: stage, unit: unit, isGuest: stage == .first && nesting != nil, privilege: privilege,
      snoopsAlways: snoopsAlways)
  }
}
