// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import Synchronization
internal import VTd

/// Walks of tables that will be asked for, done on all processors at once.
///
/// Nothing of it shows. A walk ahead takes nothing of the run's budget; when its turn comes it pays
/// what it cost, and it is done anew if the budget would have cut it there. So every state is the one
/// that walks one after another find, and every cut stands where theirs would.
struct WalksAhead<Key: Hashable & Sendable> {
  struct Walk: Sendable {
    var found: Gathered
    var statistics: WalkStatistics
    /// What it was allowed.
    var share: WalkBudget
  }

  private var walks: [Key: Walk] = [:]

  init() {}

  /// - Parameters:
  ///   - planned: distinct tables, in the order in which they will be asked for.
  ///   - memory: of the machine, for what the visitors tell.
  ///   - work: what the walks will have to be paid from.
  init(_ planned: [(key: Key, walk: PageTableWalk)], memory: AddressRanges, work: WorkBudget) {
    let threads = min(Workers.count, planned.count)
    let pool = Pool(WalkBudget().share(of: work), runs: work.left(.runs))
    let done = Workers.map(planned.count, threads: threads) { number in
      let (share, runs) = pool.part(threads)
      var walk = planned[number].walk
      (walk.budget, walk.work) = (share, nil)
      var visitor = MappingCollector(memory: memory, runLimit: runs)
      let statistics = walk.run(&visitor)
      pool.take(share, statistics.remaining, runs: visitor.found.runs.count)
      // What was cut is of no use.
      return statistics.exhausted.isEmpty && visitor.found.runsDropped == 0
        ? Walk(found: visitor.found, statistics: statistics, share: share) : nil
    }
    for (plan, walk) in zip(planned, done) { walks[plan.key] = walk }
  }

  /// The walk of some tables, paid for; `nil` if it was not done, or would be cut now.
  mutating func take(_ key: Key, paying work: WorkBudget) -> Walk? {
    guard let walk = walks.removeValue(forKey: key) else { return nil }
    let left = WalkBudget().share(of: work)
    let remaining = walk.statistics.remaining
    guard walk.share.tables - remaining.tables <= left.tables,
      walk.share.revisits - remaining.revisits <= left.revisits,
      walk.share.lookups - remaining.lookups <= left.lookups,
      walk.found.runs.count <= work.left(.runs)
    else { return nil }
    walk.share.settle(remaining, with: work)
    return walk
  }

  /// What the walks may do together, so that they cost no more than one after another.
  private final class Pool: Sendable {
    private let left: Mutex<(share: WalkBudget, runs: Int)>

    init(_ share: WalkBudget, runs: Int) { left = Mutex((share, runs)) }

    /// What one of `threads` walks that go on at once may do.
    func part(_ threads: Int) -> (share: WalkBudget, runs: Int) {
      left.withLock { left in
        (
          WalkBudget(
            tables: left.share.tables / threads, revisits: left.share.revisits / threads,
            lookups: left.share.lookups / threads), left.runs / threads
        )
      }
    }

    func take(_ share: WalkBudget, _ remaining: WalkBudget, runs: Int) {
      left.withLock { left in
        left.share.tables -= share.tables - remaining.tables
        left.share.revisits -= share.revisits - remaining.revisits
        left.share.lookups -= share.lookups - remaining.lookups
        left.runs -= runs
      }
    }
  }
}
