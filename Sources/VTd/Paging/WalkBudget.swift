// SPDX-License-Identifier: Apache-2.0

/// How much work a table walk may do.
///
/// The defaults are far beyond any real table.
public struct WalkBudget: Hashable, Sendable {
  /// Distinct table pages that may be entered.
  ///
  /// 2^20 are 4 GiB of tables and map 2 TiB in 4 KiB pages. When they are spent, the walk ends.
  public var tables: Int
  /// Times that a table may be entered again from another place.
  ///
  /// When they are spent, tables that were seen before are passed by, and the walk goes on with new
  /// ones.
  public var revisits: Int
  /// Nested translation: look-ups in the second stage.
  ///
  /// 2^24 are 64 GiB in pieces of 4 KiB. When they are spent, the walk ends.
  public var lookups: Int

  public init(tables: Int = 1 << 20, revisits: Int = 1 << 16, lookups: Int = 1 << 24) {
    self.tables = tables
    self.revisits = revisits
    self.lookups = lookups
  }

  /// The parts of the budget.
  public enum Part: String, Hashable, Sendable {
    case tables
    case revisits
    case lookups
  }
}
