// SPDX-License-Identifier: Apache-2.0

public import Memory

/// How much work one table walk may do; what a whole run may do is a `WorkBudget`.
///
/// The defaults are far beyond any real table.
public struct WalkBudget: Hashable, Sendable {
  /// Distinct table pages that may be entered.
  ///
  /// 2^23 are 32 GiB of tables and map 16 TiB in 4 KiB pages. When they are spent, the walk ends.
  public var tables: Int
  /// Times that a table may be entered again from another place.
  ///
  /// When they are spent, tables that were seen before are passed by, and the walk goes on with new
  /// ones.
  public var revisits: Int
  /// Nested translation: look-ups in the second stage.
  ///
  /// 2^30 are 4 TiB in pieces of 4 KiB. When they are spent, the walk ends.
  public var lookups: Int

  public init(tables: Int = 1 << 23, revisits: Int = 1 << 16, lookups: Int = 1 << 30) {
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

extension WalkBudget {
  /// What a walk may take of a run's budget, and no more than this one allows.
  public func share(of work: WorkBudget) -> WalkBudget {
    let entries = work.left(.entries)
    return WalkBudget(
      tables: min(tables, entries / Page.wordCount), revisits: min(revisits, work.left(.revisits)),
      lookups: min(lookups, entries / Self.entriesOfLookup))
  }

  /// Takes from a run's budget what a walk has spent of this share.
  public func settle(_ remaining: WalkBudget, with work: WorkBudget) {
    let spent = spent(remaining)
    work.spend(.revisits, spent.revisits)
    work.spend(.entries, spent.entries)
  }

  /// What a walk has spent of this share, as a run counts it.
  public func spent(_ remaining: WalkBudget) -> (entries: Int, revisits: Int) {
    let revisited = revisits - remaining.revisits
    let visited = tables - remaining.tables + revisited
    return (
      visited * Page.wordCount + (lookups - remaining.lookups) * Self.entriesOfLookup, revisited
    )
  }

  /// A look-up reads an entry at each level.
  private static let entriesOfLookup = 4
}

extension WorkBudget {
  /// Says that a walk of this run was cut, if it was.
  public func note(
    _ statistics: WalkStatistics, _ detail: @autoclosure () -> String, unit: String? = nil,
    device: DeviceName? = nil
  ) {
    for part in [WalkBudget.Part.tables, .lookups, .revisits]
    where statistics.exhausted.contains(part) {
      cut(part == .revisits ? .revisits : .entries, detail(), unit: unit, device: device)
    }
  }
}
