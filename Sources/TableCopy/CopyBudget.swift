// SPDX-License-Identifier: Apache-2.0

public import VTd

/// How much a copy may read and build.
public struct CopyBudget: Hashable, Sendable {
  /// Pages of all tables that one arena may take; 2^20 are 4 GiB.
  public var pages: Int
  /// For each page table.
  public var walk: WalkBudget
  /// For each unit.
  public var contexts: ContextBudget

  public init(
    pages: Int = 1 << 20, walk: WalkBudget = WalkBudget(), contexts: ContextBudget = ContextBudget()
  ) {
    self.pages = pages
    self.walk = walk
    self.contexts = contexts
  }
}
