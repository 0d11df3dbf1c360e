// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Which of the two formats a page table has.
public enum PagingStage: UInt8, Hashable, Sendable, CustomStringConvertible {
  /// x86 paging: `FirstStageEntry`.
  case first = 1
  /// `SecondStageEntry`.
  case second = 2

  public var description: String { self == .first ? "first-stage" : "second-stage" }
}

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
  public var stage: PagingStage
  /// The table that an I/O virtual address is looked up in; if `nesting` is there, its address and
  /// every address inside the tables is guest-physical.
  public var root: StageRoot
  /// The second stage below a first stage: nested translation.
  public var nesting: StageRoot?
  /// First stage only: whether pages that are closed to user privilege (US is 0) count as not
  /// present.
  ///
  /// That is what requests meet whose PASID entry does not enable supervisor requests.
  public var userOnly: Bool

  public init(
    stage: PagingStage, root: StageRoot, nesting: StageRoot? = nil, userOnly: Bool = false
  ) {
    self.stage = stage
    self.root = root
    self.nesting = nesting
    self.userOnly = userOnly
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

  /// Bits of an I/O virtual address that the tables translate: 12 + 9 per level.
  public var width: Int { 12 + 9 * root.levels }
}
