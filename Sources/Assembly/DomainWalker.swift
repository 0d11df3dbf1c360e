// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import VTd

/// Walks each address space once, however many contexts reach it.
struct DomainWalker {
  struct Result {
    var mapping: Mapping
    var summary: WalkSummary
  }

  let memory: any PhysicalMemory
  /// Memory that the dump describes.
  let memoryRanges: AddressRanges
  /// Whose table each table page is.
  private(set) var tables = TableInventory()
  private var results: [Key: Result] = [:]
  /// The run that pays for all spaces together: few pages can stand for any number of spaces that
  /// share them.
  private let work: WorkBudget
  private(set) var observations: [Observation] = []
  /// Walks that will be asked for, in that order.
  private var planned: [(key: Key, walk: PageTableWalk)] = []
  private var ahead = WalksAhead<Key>()
  /// Table pages that were walked so far, one walk after another.
  private var walked = 0
  /// With fewer pages the threads would cost more than they save.
  private static let pagesWorthThreads = 256

  private struct Key: Hashable, Sendable {
    var space: AddressSpace
    // What counts as reserved depends on the unit.
    var capability: HexWord?
    var extendedCapability: HexWord?

    init(_ space: AddressSpace, _ unit: Unit?) {
      self.space = space
      capability = unit?.capability
      extendedCapability = unit?.extendedCapability
    }
  }

  init(_ memory: any PhysicalMemory, work: WorkBudget) {
    self.memory = memory
    self.work = work
    memoryRanges = AddressRanges(
      memory.memoryFrames.lazy.filter { !$0.isEmpty }.map {
        ($0.lowerBound << 12)...(($0.upperBound - 1) << 12 | 0xfff)
      })
  }

  /// Says what will be walked, in that order, so that it may be walked on all processors.
  mutating func plan(_ spaces: [(space: AddressSpace, unit: Unit?)]) {
    var seen: Set<Key> = []
    planned = spaces.compactMap { space, unit in
      let key = Key(space, unit)
      guard seen.insert(key).inserted else { return nil }
      return (
        key, PageTableWalk(memory: memory, space: space, unit: unit?.yardstick)
      )
    }
  }

  /// Walks what is left of the plan, once there is reason to think that this is much.
  private mutating func walkAhead() {
    guard walked >= Self.pagesWorthThreads, !planned.isEmpty, memory.isFreeToRead,
      Workers.count > 1
    else { return }
    let rest = planned.filter { results[$0.key] == nil }
    planned = []
    guard rest.count > 1 else { return }
    ahead = WalksAhead(rest, memory: memoryRanges, work: work)
  }

  /// The walk in parts, on all processors, where that helps.
  private func split(
    _ walk: PageTableWalk
  ) -> (found: Gathered, statistics: WalkStatistics)? {
    guard Workers.count > 1, memory.isReadConcurrently else { return nil }
    return SplitWalk(walk, memory: memoryRanges, work: work)?.run()
  }

  /// What the tables map.
  ///
  /// - Parameters:
  ///   - unit: whose capabilities say which bits are reserved; `nil` if unknown.
  ///   - domainID: for observations only.
  ///   - kernelObject: rows with the same one are one domain, and share their tables.
  ///   - unitName: for cuts, where the unit's capabilities are not known.
  ///   - isOwn: whether the tables are the domain's alone; a process's are not.
  mutating func walk(
    _ space: AddressSpace, unit: Unit?, domainID: UInt32?, kernelObject: KernelAddress? = nil,
    isOwn: Bool = true, unitName: String? = nil
  ) -> Result {
    let key = Key(space, unit)
    if let known = results[key] { return known }
    walkAhead()
    let found: Gathered
    let statistics: WalkStatistics
    let tableWalk = PageTableWalk(
      memory: memory, space: space, unit: unit?.yardstick, work: work)
    if let walk = ahead.take(key, paying: work) {
      (found, statistics) = (walk.found, walk.statistics)
    } else if let walk = split(tableWalk) {
      (found, statistics) = walk
      walked += statistics.tables
    } else {
      var collector = MappingCollector(memory: memoryRanges, runLimit: work.left(.runs))
      statistics = tableWalk.run(&collector)
      found = collector.found
      walked += statistics.tables
    }
    work.spend(.runs, found.runs.count)
    let name = domainID.map { "domain-id \($0)" } ?? "a domain without an id"
    work.note(statistics, "the walk of \(name)", unit: unit?.name ?? unitName)
    if found.runsDropped > 0 {
      work.cut(.runs, "the keeping of what \(name) maps", unit: unit?.name ?? unitName)
    }
    if isOwn {
      tables.add(
        found.tables,
        of: TableInventory.Owner(
          domain: TableOwner(unit: unit?.name, domainID: domainID, kernelObject: kernelObject),
          root: space.root.table))
    }
    var summary = WalkSummary(
      tables: statistics.tables, unreadable: statistics.unreadable,
      assumedEmpty: statistics.assumedZero, cycles: statistics.cycles,
      aliases: statistics.aliases, reservedBits: statistics.reservedBits,
      budgetExhausted: !statistics.exhausted.isEmpty || found.runsDropped > 0)
    summary.bytesOutsideMemory = found.bytesOutsideMemory
    note(found.obstacles, space: space, unit: unit, domainID: domainID)
    let result = Result(
      mapping: Mapping(leaves: found.leaves, bytes: found.bytes, runs: found.runs),
      summary: summary)
    results[key] = result
    return result
  }

  private mutating func note(
    _ collector: ObstacleCollector, space: AddressSpace, unit: Unit?, domainID: UInt32?
  ) {
    // A few of a kind show what is wrong; their number is in the last one's count.
    let shown = 8
    var seen: [PagingObstacle.Category: Int] = [:]
    for obstacle in collector.obstacles {
      let category = obstacle.kind.category
      let total = collector.counts[category] ?? 1
      let number = seen[category, default: 0] + 1
      seen[category] = number
      guard number <= shown else { continue }
      var observation = Observation(obstacle, stage: space.stage)
      observation.unit = unit?.name
      observation.domainID = domainID
      if number == shown { observation.count = total - shown + 1 }
      observations.append(observation)
    }
  }
}

extension Observation {
  init(_ obstacle: PagingObstacle, stage: Stage) {
    let problem: ObservedProblem =
      switch obstacle.kind {
      case .unreadable(let error): .unreadable(error.absence, error.description)
      case .assumedZero: .assumedZero(for: "an empty table")
      case .cycle: .init(.cycle, "the table lies on its own path")
      case .alias(let level): .init(.alias, "the table page was met before, at level \(level)")
      case .reservedBits(let bits): .reservedBits(bits.hexadecimal)
      case .misalignedSuperpage(let bits):
        .init(
          .reservedBits, cause: .misaligned,
          "a large page that is not aligned, bits \(bits.hexadecimal)")
      case .beyondHostAddressWidth(let bits):
        .init(
          .reservedBits, cause: .beyondHostAddressWidth,
          "an address beyond the host address width, bits \(bits.hexadecimal)")
      case .secondStage(let ending, let guest):
        .init(
          .unreadable, cause: .secondStage,
          "the second stage ends at guest address \(guest.hexadecimal): \(ending)")
      case .budgetExhausted(let part):
        .init(
          .budget, "the walk's budget of \(part.rawValue) is spent; the mapping is incomplete")
      case .unsupportedLevels(let levels): .init(.malformed, "no tables have \(levels) levels")
      }
    self.init(
      problem.kind,
      structure: .pageTable(
        stage, level: obstacle.level, iova: obstacle.iova),
      address: obstacle.entry.map { HexWord($0.rawValue) },
      word: obstacle.entry == nil ? nil : HexWord(obstacle.word), cause: problem.cause,
      detail: problem.detail)
  }
}
