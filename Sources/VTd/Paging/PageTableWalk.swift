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

/// How a walk went.
public struct WalkStatistics: Hashable, Sendable {
  /// Table pages read, each counted once; holes taken for zeros are not among them.
  public var tables = 0
  /// Table pages that could not be read, each counted once.
  public var unreadable = 0
  /// Table pages that were holes of an ELF dump and were taken for zeros, each counted once.
  public var assumedZero = 0
  /// Pointers to a table on its own path.
  public var cycles = 0
  /// Pointers to a table that was met before.
  public var aliases = 0
  /// Present entries with reserved bits, misaligned and too wide addresses included.
  public var reservedBits = 0
  /// Nested: stretches that the second stage does not let through.
  public var secondStageHoles = 0
  /// The parts of the budget that were spent; the mapping is then incomplete.
  public var exhausted: Set<WalkBudget.Part> = []
  /// The visitor ended the walk.
  public var isStopped = false
  /// What is left of the budget: the next walk's, where several walks share one.
  public var remaining = WalkBudget(tables: 0, revisits: 0, lookups: 0)

  public init() {}
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
    if level == 1, !isNested {
      visitPages(page, address: address, iova: iova, inherited: inherited, &visitor)
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
      if word & 3 != 0, word & required == required {
        let access = inherited.intersection(PagingAccess(entry: word | granted))
        let entry = PhysicalAddress(address | UInt64(truncatingIfNeeded: index &* 8))
        let base = IOVirtualAddress(iova | UInt64(truncatingIfNeeded: index) &<< 12)
        if word & reservedMask != 0 {
          reserved(word, word & reservedMask, level: 1, iova: base, entry: entry, &visitor)
        } else if !access.isEmpty {
          visitor.leaf(
            PagingLeaf(
              iova: base, physical: PhysicalAddress(word & PagingRules.addressMask), length: 4096,
              access: access, level: 1, entry: entry, word: word, piece: 0))
        }
      }
      index &+= 1
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

  @inlinable
  mutating func visitLeaf<Visitor: PagingVisitor>(_ leaf: PagingLeaf, _ visitor: inout Visitor) {
    guard isNested else {
      visitor.leaf(leaf)
      return
    }
    var offset: UInt64 = 0
    var pending: PagingLeaf?
    var pieces = 0
    while offset < leaf.length {
      let next = nextPiece(leaf, at: offset)
      offset = next.end
      switch next.result {
      case .mapped(var piece):
        // Pieces that continue each other are one.
        if let last = pending, last.access == piece.access,
          last.physical.rawValue &+ last.length == piece.physical.rawValue,
          last.iova.rawValue &+ last.length == piece.iova.rawValue
        {
          pending?.length = last.length &+ piece.length
        } else {
          if let last = pending { visitor.leaf(last) }
          piece.piece = pieces
          pieces += 1
          pending = piece
        }
      case .hole(let obstacle):
        if let last = pending { visitor.leaf(last) }
        pending = nil
        visitor.obstacle(obstacle)
      case .noAccess:
        if let last = pending { visitor.leaf(last) }
        pending = nil
      }
    }
    if let last = pending { visitor.leaf(last) }
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

  @usableFromInline
  enum Location {
    case found(UInt64)
    case blocked(PagingObstacle.Kind)
  }

  /// The host-physical address of a table at a guest-physical one.
  ///
  /// Hardware reads it like memory, so the second stage must allow reading.
  @usableFromInline
  mutating func locate(_ guest: UInt64) -> Location {
    guard let answer = lookUp(guest) else { return .blocked(.budgetExhausted(.lookups)) }
    guard case .mapped(let host, _, let access) = answer.ending, access.contains(.read) else {
      statistics.secondStageHoles += 1
      return .blocked(.secondStage(answer.ending, guest: guest))
    }
    return .found(host.rawValue)
  }

  @usableFromInline
  enum PieceResult {
    case mapped(PagingLeaf)
    case hole(PagingObstacle)
    case noAccess
  }

  /// The piece of a first-stage leaf from `offset` to where the second stage changes.
  @usableFromInline
  mutating func nextPiece(
    _ leaf: PagingLeaf, at offset: UInt64
  ) -> (result: PieceResult, end: UInt64) {
    let guest = leaf.physical.rawValue &+ offset
    func obstacle(_ kind: PagingObstacle.Kind) -> PagingObstacle {
      PagingObstacle(
        kind, level: leaf.level, iova: IOVirtualAddress(leaf.iova.rawValue &+ offset),
        entry: leaf.entry, word: leaf.word)
    }
    guard let answer = lookUp(guest) else {
      return (.hole(obstacle(.budgetExhausted(.lookups))), leaf.length)
    }
    let length = min(answer.span, leaf.length - offset)
    guard case .mapped(let host, _, let access) = answer.ending else {
      statistics.secondStageHoles += 1
      return (.hole(obstacle(.secondStage(answer.ending, guest: guest))), offset + length)
    }
    let common = access.intersection(leaf.access)
    guard !common.isEmpty else { return (.noAccess, offset + length) }
    var piece = leaf
    piece.iova = IOVirtualAddress(leaf.iova.rawValue &+ offset)
    piece.physical = host
    piece.length = length
    piece.access = common
    return (.mapped(piece), offset + length)
  }

  /// Looks up a guest-physical address, or ends the walk because no look-up is left.
  private mutating func lookUp(_ guest: UInt64) -> SecondStage.Answer? {
    guard budget.lookups > 0 else {
      statistics.exhausted.insert(.lookups)
      isStopped = true
      return nil
    }
    budget.lookups -= 1
    return second?.lookUp(guest)
      ?? SecondStage.Answer(ending: .unsupportedLevels(.second, 0), span: .max)
  }
}
