// SPDX-License-Identifier: Apache-2.0

public import Memory
internal import RemappingState
public import VTd

/// The proof of a copy: walks the result with the same walk and compares it with the original, run
/// by run and leaf word by leaf word.
///
/// Identical translations are what makes the switch of the root pointer legal while translation is
/// on. A copy that is not identical is told with the first places where it is not.
///
/// Source: VT-d specification, section 6.6 (software that changes the root table address while
/// translation is enabled).
public struct CopyVerifier {
  private let arena: TableArena
  private let original: TranslationTables
  private let budget: CopyBudget
  private let walked: WalkedSpaces
  /// Re-entered tables that all comparisons together may still cost: hostile tables could make each of
  /// thousands of spaces spend the budget of one.
  private var revisits: Int
  /// Spaces compared so far; several contexts may lead to one.
  private var done: [Pair: CopyProof.Outcome] = [:]
  /// Whether the cheaper comparison is tried first; both say the same.
  var comparesInStep = true

  private struct Pair: Hashable {
    var old: AddressSpace
    var new: AddressSpace
  }

  /// - Parameter walked: what is known of the original's spaces.
  public init(
    _ arena: TableArena, original: TranslationTables, budget: CopyBudget = CopyBudget(),
    walked: WalkedSpaces = WalkedSpaces()
  ) {
    self.arena = arena
    self.original = original
    self.budget = budget
    self.walked = walked
    // A run's budget bounds all comparisons by itself.
    revisits =
      budget.work != nil || budget.walk.revisits > .max / 16 ? .max : 16 * budget.walk.revisits
  }

  /// Compares everything that the new root leads to with what the old one led to.
  public mutating func verify(_ copy: UnitCopy) -> CopyProof {
    var proof = CopyProof()
    guard let root = copy.rootTable else {
      proof.differences.append(.init(what: "no root table was copied"))
      return proof
    }
    let old = original.read(budget)
    let new = TranslationTables(
      memory: arena, rootTable: root, mode: original.mode, capabilities: original.capabilities
    ).read(budget)
    var newPaths: [PathKey: ContextPath] = [:]
    for path in new.paths { newPaths[PathKey(path)] = path }
    for path in old.paths {
      let key = PathKey(path)
      guard let other = newPaths.removeValue(forKey: key) else {
        proof.note(path, "the copy has no such context")
        continue
      }
      compare(path, other, &proof)
    }
    for path in new.paths where newPaths[PathKey(path)] != nil {
      proof.note(path, "the original has no such context")
    }
    proof.contexts = old.paths.count
    if old.exhausted != nil || new.exhausted != nil {
      proof.differences.append(.init(what: "the budget for contexts is spent; not all is compared"))
    }
    return proof
  }

  private struct PathKey: Hashable {
    var sourceID: UInt16
    var pasid: UInt32?

    init(_ path: ContextPath) {
      sourceID = path.sourceID
      pasid = path.pasid
    }
  }

  private mutating func compare(
    _ old: ContextPath, _ new: ContextPath, _ proof: inout CopyProof
  ) {
    guard old.kind == new.kind, old.domainID == new.domainID, old.levels == new.levels,
      old.faultsSuppressed == new.faultsSuppressed,
      old.servesRequestsWithoutPASID == new.servesRequestsWithoutPASID
    else {
      proof.note(old, "the entry reads differently: \(new.words.map(\.hexadecimal))")
      return
    }
    guard let oldSpace = old.addressSpace else { return }
    guard let newSpace = new.addressSpace else {
      proof.note(old, "the copied entry leads to no table")
      return
    }
    let pair = Pair(old: oldSpace, new: newSpace)
    let outcome = done[pair] ?? compare(oldSpace, newSpace)
    if done.updateValue(outcome, forKey: pair) == nil {
      proof.spaces += 1
      proof.leaves = proof.leaves.addingClamped(outcome.leaves)
      proof.runs = proof.runs.addingClamped(outcome.runs)
      proof.bytes = proof.bytes.addingClamped(outcome.bytes)
    }
    if let difference = outcome.difference {
      proof.note(old, difference.text, iova: difference.iova)
    }
  }

  /// Runs that either side of a comparison may keep; the rest is compared by its leaves alone.
  private var runLimit: Int {
    min(RunCollector.defaultRunLimit, (budget.work?.left(.runs) ?? .max) / 2)
  }

  private mutating func compare(_ old: AddressSpace, _ new: AddressSpace) -> CopyProof.Outcome {
    var limits = budget.walk
    limits.revisits = min(limits.revisits, revisits)
    // Only a guest's own tables may still be read from the old memory.
    let memory: any PhysicalMemory =
      new.nesting == nil ? arena : ArenaOverlay(arena, over: original.memory)
    let walks = (
      old: PageTableWalk(
        memory: original.memory, space: old, unit: original.capabilities, budget: limits,
        work: budget.work),
      new: PageTableWalk(
        memory: memory, space: new, unit: original.capabilities, budget: limits,
        work: budget.work)
    )
    let known = comparesInStep ? inStep(walks.old, walks.new) : nil
    return known ?? runByRun(walks.old, walks.new)
  }

  /// Compares without keeping a run: the copy's tables are noted, and the original's held against
  /// them.
  ///
  /// - Returns: `nil` where the two differ or a budget would cut one of the walks, so that the place
  ///   is still to be found.
  private mutating func inStep(
    _ old: PageTableWalk, _ new: PageTableWalk
  ) -> CopyProof.Outcome? {
    guard (old.space.nesting == nil) == (new.space.nesting == nil),
      old.space.moved(to: new.space.nesting ?? new.space.root) == new.space
    else { return nil }
    var (old, new) = (old, new)
    let share = budget.work.map { old.budget.share(of: $0) } ?? old.budget
    (old.budget, old.work) = (share, nil)
    (new.budget, new.work) = (share, nil)
    var copied = TableRecord(new.space)
    let after = new.run(&copied)
    guard after.exhausted.isEmpty else { return nil }
    var witness = RecordComparer(
      copied, old.space, known: walked[old.space, below: original.capabilities])
    let before = old.run(&witness)
    guard before.exhausted.isEmpty, witness.isSame else { return nil }
    if let work = budget.work {
      let spent = (old: share.spent(before.remaining), new: share.spent(after.remaining))
      guard spent.old.entries + spent.new.entries <= work.left(.entries),
        spent.old.revisits + spent.new.revisits <= work.left(.revisits)
      else { return nil }
      share.settle(before.remaining, with: work)
      share.settle(after.remaining, with: work)
    }
    revisits -= min(revisits, before.aliases)
    let mapped = witness.mapped
    var outcome = CopyProof.Outcome(
      leaves: mapped.leaves, runs: mapped.runs, bytes: mapped.bytes)
    outcome.difference = witness.unreadable > 0 ? Witness.missing(witness.unreadable) : nil
    return outcome
  }

  /// Compares the runs and finds the first place where they differ.
  private mutating func runByRun(
    _ old: PageTableWalk, _ new: PageTableWalk
  ) -> CopyProof.Outcome {
    var first = Witness(runLimit: runLimit)
    let statistics = old.run(&first)
    revisits -= min(revisits, statistics.aliases)
    var second = Witness(runLimit: runLimit)
    new.run(&second)
    var outcome = CopyProof.Outcome(
      leaves: first.runs.leaves, runs: first.runs.runs.count + first.runs.runsDropped,
      bytes: first.runs.bytes)
    outcome.difference = first.difference(from: second)
    return outcome
  }
}

/// What a verification found.
public struct CopyProof: Hashable, Sendable {
  public struct Difference: Hashable, Sendable {
    public var bus: UInt8?
    public var devfn: UInt8?
    public var pasid: UInt32?
    /// Where the first difference is, inside page tables.
    public var iova: IOVirtualAddress?
    public var what: String
  }

  struct Outcome {
    var leaves = 0
    var runs = 0
    var bytes: UInt64 = 0
    var difference: (iova: IOVirtualAddress?, text: String)?
  }

  /// Differences kept; there may be more.
  public static let limit = 64

  /// Contexts, or PASID entries, compared.
  public var contexts = 0
  /// Distinct address spaces compared.
  public var spaces = 0
  /// Leaves of the original, compared word by word.
  public var leaves = 0
  public var runs = 0
  public var bytes: UInt64 = 0
  /// The first ones; empty if the copy translates as the original does.
  public var differences: [Difference] = []

  public init() {}

  public var isIdentical: Bool { differences.isEmpty }

  fileprivate mutating func note(
    _ path: ContextPath, _ what: String, iova: IOVirtualAddress? = nil
  ) {
    guard differences.count < Self.limit else { return }
    differences.append(
      Difference(
        bus: path.bus, devfn: path.devfn, pasid: path.pasid, iova: iova, what: what))
  }
}

/// What one walk saw: its runs, and a digest of all leaf words with their addresses.
private struct Witness: PagingVisitor {
  var runs: RunCollector

  init(runLimit: Int) { runs = RunCollector(runLimit: runLimit) }

  private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func leaf(_ leaf: PagingLeaf) {
    runs.leaf(leaf)
    mix(leaf.iova.rawValue ^ UInt64(truncatingIfNeeded: leaf.level))
    mix(leaf.word)
    mix(leaf.length)
  }

  private mutating func mix(_ word: UInt64) {
    digest = (digest ^ word) &* 0x9e37_79b9_7f4a_7c15
    digest ^= digest >> 29
  }

  mutating func obstacle(_ obstacle: PagingObstacle) { runs.obstacle(obstacle) }

  mutating func finish(_ statistics: WalkStatistics) { runs.finish(statistics) }

  /// The first place where the other walk saw something else, or `nil`.
  func difference(from copy: Witness) -> (iova: IOVirtualAddress?, text: String)? {
    for (old, new) in zip(runs.runs, copy.runs.runs) where old != new {
      return (
        min(old.iova, new.iova),
        "the original maps \(Self.text(old)), the copy maps \(Self.text(new))"
      )
    }
    let common = min(runs.runs.count, copy.runs.runs.count)
    if common < runs.runs.count {
      return (runs.runs[common].iova, "the copy lacks \(Self.text(runs.runs[common]))")
    }
    if common < copy.runs.runs.count {
      return (
        copy.runs.runs[common].iova, "the copy alone maps \(Self.text(copy.runs.runs[common]))"
      )
    }
    if runs.runsDropped != copy.runs.runsDropped || runs.leaves != copy.runs.leaves
      || digest != copy.digest
    {
      return (nil, "the leaves differ: \(runs.leaves) before, \(copy.runs.leaves) after")
    }
    // Tables that could not be read are left out of the copy: it maps what is known, no more.
    let missing = runs.obstacleCounts[.unreadable, default: 0]
    if missing > 0 { return Self.missing(missing) }
    if runs.obstacleCounts[.budgetExhausted] != nil {
      return (nil, "the walk's budget is spent; not all is compared")
    }
    return nil
  }

  static func missing(_ count: Int) -> (iova: IOVirtualAddress?, text: String) {
    (nil, "\(count) tables of the original could not be read and are not in the copy")
  }

  private static func text(_ run: MappedRun) -> String {
    "\(run.iova) + \(run.length.hexadecimal) to \(run.physical) \(run.access)"
  }
}

extension FixedWidthInteger {
  fileprivate func addingClamped(_ other: Self) -> Self {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
