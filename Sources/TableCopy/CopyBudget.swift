// SPDX-License-Identifier: Apache-2.0

public import Memory
public import VTd

/// How much a copy may read and build.
public struct CopyBudget: Sendable {
  /// Pages of all tables that one arena may take; 2^20 are 4 GiB.
  public var pages: Int
  /// For each page table.
  public var walk: WalkBudget
  /// For each unit.
  public var contexts: ContextBudget
  /// The run that pays for all copies; `nil` for a copy that stands alone.
  public var work: WorkBudget?

  public init(
    pages: Int = 1 << 20, walk: WalkBudget = WalkBudget(),
    contexts: ContextBudget = ContextBudget(), work: WorkBudget? = nil
  ) {
    self.pages = pages
    self.walk = walk
    self.contexts = contexts
    self.work = work
  }

  /// What copies of one run may take.
  ///
  /// A copy is as large as the tables, which are pages of the dump.
  public init(_ work: WorkBudget) {
    self.init(pages: min(1 << 14 + work.dumpPages, 1 << 20), work: work)
  }
}
