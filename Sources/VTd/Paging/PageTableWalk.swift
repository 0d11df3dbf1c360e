// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// The one walk over page tables of either stage, alone or nested.
///
/// It is total: any bit pattern has an ending. It descends by level, so its depth is at most 5, and
/// its work is bounded by `WalkBudget`: every table page is entered once from the `tables` budget,
/// and each further entry into a page that was met before (tables that share tables can stand for
/// 512^4 paths) is paid from the much smaller `revisits` budget. At most
/// (tables + revisits) × 512 entries are looked at, and memory is a set of the table pages. A table
/// that lies on its own path is not entered at all. What was cut is reported, never dropped
/// silently.
///
/// Entries with reserved bits are obstacles and map nothing, because hardware faults on them. What a
/// unit refuses by the address alone is mapped all the same: `RequestBounds` tells it apart.
///
///     var collector = RunCollector()
///     let statistics = PageTableWalk(memory: dump, space: .secondStage(table, levels: 4))
///       .run(&collector)
///
/// Source: VT-d specification, sections 3.6 (first stage), 3.7 (second stage), 3.8 (nested).
public struct PageTableWalk: Sendable {
  public var memory: any PhysicalMemory
  public var space: AddressSpace
  /// `nil` if unknown; then only bits that no unit allows count as reserved.
  public var unit: UnitCapabilities?
  public var budget: WalkBudget
  /// The run that pays for the walk; `nil` for a walk that stands alone.
  public var work: WorkBudget?

  public init(
    memory: any PhysicalMemory, space: AddressSpace, unit: UnitCapabilities? = nil,
    budget: WalkBudget = WalkBudget(), work: WorkBudget? = nil
  ) {
    self.memory = memory
    self.space = space
    self.unit = unit
    self.budget = budget
    self.work = work
  }

  /// Walks all tables and calls `visitor` on the way.
  ///
  /// - Returns: what was met; complete unless a budget is spent or the visitor ended the walk.
  @inlinable
  @discardableResult
  public func run<Visitor: PagingVisitor>(_ visitor: inout Visitor) -> WalkStatistics {
    guard space.root.levels >= 2, space.root.levels <= 5 else {
      visitor.obstacle(
        PagingObstacle(
          .unsupportedLevels(space.root.levels), level: space.root.levels,
          iova: IOVirtualAddress(0), entry: nil, word: 0))
      var statistics = WalkStatistics()
      statistics.remaining = budget
      visitor.finish(statistics)
      return statistics
    }
    var walker = Walker(self)
    walker.visitTable(
      space.root.table.rawValue, level: space.root.levels, iova: 0, inherited: .all, entry: nil,
      word: 0, &visitor)
    walker.statistics.remaining = walker.budget
    settle(walker)
    visitor.finish(walker.statistics)
    return walker.statistics
  }

  @usableFromInline
  func settle(_ walker: Walker) {
    if let work { walker.share.settle(walker.budget, with: work) }
  }
}

/// The state of one walk.
@usableFromInline
struct Walker {
  @usableFromInline let memory: any PhysicalMemory
  @usableFromInline let rules: PagingRules
  @usableFromInline let stage: Stage
  @usableFromInline let topLevel: Int
  /// What a first-stage address of the upper half has above the bits that are translated.
  @usableFromInline let signExtension: UInt64
  @usableFromInline var budget: WalkBudget
  /// The budget as the walk began.
  let share: WalkBudget
  @usableFromInline var statistics = WalkStatistics()
  /// Frames of table pages met so far, with the level at which each was met first.
  @usableFromInline var seen: [UInt64: UInt8] = [:]
  /// Frames of the tables from the top down to the one being visited.
  @usableFromInline var path: [UInt64] = []
  @usableFromInline var isStopped = false
  @usableFromInline let isNested: Bool
  /// Whether to tell the memory what will be read.
  @usableFromInline let readsAhead: Bool
  var second: SecondStage?

  @usableFromInline
  init(_ walk: PageTableWalk) {
    memory = walk.memory
    stage = walk.space.stage
    let nesting = walk.space.stage == .first ? walk.space.nesting : nil
    rules = walk.space.rules(unit: walk.unit)
    topLevel = walk.space.root.levels
    signExtension = walk.space.stage == .first ? ~0 << UInt64(walk.space.width) : 0
    share = walk.work.map { walk.budget.share(of: $0) } ?? walk.budget
    budget = share
    isNested = nesting != nil
    readsAhead = nesting == nil && walk.memory.readsAhead
    second = nesting.map { SecondStage(memory: walk.memory, root: $0, unit: walk.unit) }
  }

  /// Visits the table at `pointer` and all below it.
  @inlinable
  mutating func visitTable<Visitor: PagingVisitor>(
    _ pointer: UInt64, level: Int, iova: UInt64, inherited: PagingAccess,
    entry: PhysicalAddress?, word: UInt64, _ visitor: inout Visitor
  ) {
    func obstacle(_ kind: PagingObstacle.Kind) -> PagingObstacle {
      PagingObstacle(kind, level: level, iova: IOVirtualAddress(iova), entry: entry, word: word)
    }
    var address = pointer & ~0xfff
    if isNested {
      switch locate(address) {
      case .found(let host): address = host
      case .blocked(let kind):
        visitor.obstacle(obstacle(kind))
        return
      }
    }
    let frame = address >> 12
    if path.contains(frame) {
      statistics.cycles += 1
      visitor.obstacle(obstacle(.cycle))
      return
    }
    let firstLevel = seen[frame]
    if let firstLevel {
      statistics.aliases += 1
      visitor.obstacle(obstacle(.alias(firstLevel: Int(firstLevel))))
      guard budget.revisits > 0 else {
        if statistics.exhausted.insert(.revisits).inserted {
          visitor.obstacle(obstacle(.budgetExhausted(.revisits)))
        }
        return
      }
      budget.revisits -= 1
    } else {
      guard budget.tables > 0 else {
        if statistics.exhausted.insert(.tables).inserted {
          visitor.obstacle(obstacle(.budgetExhausted(.tables)))
        }
        isStopped = true
        return
      }
      budget.tables -= 1
      seen[frame] = UInt8(truncatingIfNeeded: level)
    }

    let page: Page
    let isAssumed: Bool
    do {
      (page, isAssumed) = try memory.pageOrAssumedZero(frame)
    } catch {
      if firstLevel == nil { statistics.unreadable += 1 }
      visitor.obstacle(obstacle(.unreadable(error)))
      return
    }
    if isAssumed {
      if firstLevel == nil { statistics.assumedZero += 1 }
      visitor.obstacle(obstacle(.assumedZero))
    } else if firstLevel == nil {
      statistics.tables += 1
    }
    let table = PagingTable(
      address: PhysicalAddress(address), level: level, iova: IOVirtualAddress(iova), entry: entry,
      access: inherited, page: page, isAssumedZero: isAssumed, isRevisit: firstLevel != nil)
    switch visitor.enter(table) {
    case .enter: break
    case .skip: return
    case .stop:
      stop()
      return
    }
    path.append(frame)
    if level == 2, readsAhead { announce(page) }
    if level == 1, !isNested {
      if Visitor.takesWholeTables, let pages = rules.pages(of: table),
        visitor.pages(table, pages)
      {
        // Nothing is left to visit.
      } else {
        visitPages(page, address: address, iova: iova, inherited: inherited, &visitor)
      }
    } else {
      visitEntries(
        page, address: address, level: level, iova: iova, inherited: inherited, &visitor)
    }
    path.removeLast()
    if !isStopped { visitor.leave(table) }
  }

  /// The hot loop: all entries of a level 1 table without nesting.
  @inlinable
  mutating func visitPages<Visitor: PagingVisitor>(
    _ page: Page, address: UInt64, iova: UInt64, inherited: PagingAccess,
    _ visitor: inout Visitor
  ) {
    let reservedMask = rules.leafMasks[1]
    let required = rules.required
    let granted = rules.granted
    var index = 0
    while index < Page.wordCount {
      let word = page[word: index]
      guard word & 3 != 0, word & required == required else {
        index &+= 1
        continue
      }
      let access = inherited.intersection(PagingAccess(entry: word | granted))
      let entry = PhysicalAddress(address | UInt64(truncatingIfNeeded: index &* 8))
      let base = IOVirtualAddress(iova | UInt64(truncatingIfNeeded: index) &<< 12)
      // Entries that go on where this one ends differ from it in their address alone, so what holds
      // of this one's rights holds of theirs.
      var next = index &+ 1
      if word & reservedMask != 0 {
        reserved(word, word & reservedMask, level: 1, iova: base, entry: entry, &visitor)
      } else if !access.isEmpty {
        var following = word &+ 4096
        while next < Page.wordCount, page[word: next] == following, following & reservedMask == 0 {
          next &+= 1
          following &+= 4096
        }
        let leaf = PagingLeaf(
          iova: base, physical: PhysicalAddress(word & PagingRules.addressMask), length: 4096,
          access: access, level: 1, entry: entry, word: word, piece: 0)
        if next &- index == 1 {
          visitor.leaf(leaf)
        } else {
          visitor.leaves(leaf, count: next &- index)
        }
      }
      index = next
    }
  }

  /// All entries of a table at any level.
  @inlinable
  mutating func visitEntries<Visitor: PagingVisitor>(
    _ page: Page, address: UInt64, level: Int, iova: UInt64, inherited: PagingAccess,
    _ visitor: inout Visitor
  ) {
    let shift = UInt64(truncatingIfNeeded: PagingRules.shift(level: level))
    let upperHalf = level == topLevel ? signExtension : 0
    var index = 0
    while index < Page.wordCount {
      let word = page[word: index]
      if rules.isPresent(word) {
        let entry = PhysicalAddress(address | UInt64(truncatingIfNeeded: index &* 8))
        var base = iova | UInt64(truncatingIfNeeded: index) &<< shift
        if index >= 256 { base |= upperHalf }
        let bits = rules.reservedBits(word, level: level)
        let access = inherited.intersection(rules.access(word))
        if bits != 0 {
          reserved(
            word, bits, level: level, iova: IOVirtualAddress(base), entry: entry, &visitor)
        } else if rules.isLeaf(word, level: level) {
          if !access.isEmpty {
            visitLeaf(
              PagingLeaf(
                iova: IOVirtualAddress(base),
                physical: PhysicalAddress(PagingRules.page(word, level: level)),
                length: PagingRules.span(level: level), access: access, level: level,
                entry: entry, word: word, piece: 0), &visitor)
          }
        } else {
          let branch = PagingBranch(
            level: level, iova: IOVirtualAddress(base), entry: entry, word: word, access: access)
          switch visitor.branch(branch) {
          case .enter:
            visitTable(
              word & PagingRules.addressMask, level: level - 1, iova: base, inherited: access,
              entry: entry, word: word, &visitor)
          case .skip: break
          case .stop: stop()
          }
        }
        if isStopped { return }
      }
      index &+= 1
    }
  }

  /// Tells the memory which tables of 4 KiB pages are next.
  @usableFromInline
  func announce(_ page: Page) {
    var frames: [UInt64] = []
    for index in 0..<Page.wordCount {
      let word = page[word: index]
      guard rules.isPresent(word), !rules.isLeaf(word, level: 2),
        rules.reservedBits(word, level: 2) == 0
      else { continue }
      let frame = (word & PagingRules.addressMask) >> 12
      if seen[frame] == nil { frames.append(frame) }
    }
    memory.willRead(Array(frames.prefix(budget.tables)))
  }

  @inlinable
  mutating func reserved<Visitor: PagingVisitor>(
    _ word: UInt64, _ bits: UInt64, level: Int, iova: IOVirtualAddress, entry: PhysicalAddress,
    _ visitor: inout Visitor
  ) {
    statistics.reservedBits += 1
    visitor.obstacle(
      PagingObstacle(
        kind(word, reserved: bits, level: level), level: level, iova: iova, entry: entry,
        word: word))
  }

  @usableFromInline
  func kind(_ word: UInt64, reserved: UInt64, level: Int) -> PagingObstacle.Kind {
    rules.obstacle(word, reserved: reserved, level: level)
  }

  @usableFromInline
  mutating func stop() {
    statistics.isStopped = true
    isStopped = true
  }
}
