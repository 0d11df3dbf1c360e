// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import VTd

/// Copies page tables into an arena, each table page once for every level that it serves at.
struct PageTableCopier {
  /// How entries are read: which ones are pointers, and which ones have reserved bits.
  private struct Role: Hashable {
    var stage: Stage
    var snoopsAlways: Bool
    var capabilities: UnitCapabilities
  }

  /// A table page, in one of its roles.
  private struct Table: Hashable {
    var frame: UInt64
    var level: Int
  }

  /// The way that leads to the tables, for problems.
  struct Origin {
    var bus: UInt8?
    var devfn: UInt8?
    var pasid: UInt32?
  }

  let arena: TableArena
  let budget: CopyBudget
  private let walked: WalkedSpaces
  /// Whole tables that were copied, below whose top nothing was left out because of the path.
  private var known: [Role: [Table: PhysicalAddress]] = [:]

  init(_ arena: TableArena, budget: CopyBudget, walked: WalkedSpaces) {
    self.arena = arena
    self.budget = budget
    self.walked = walked
  }

  /// Copies the tables below a root.
  ///
  /// - Returns: the copied top table; `nil` if not even that could be copied.
  mutating func copy(
    _ space: AddressSpace, capabilities: UnitCapabilities,
    memory: any PhysicalMemory, origin: Origin, problems: inout CopyProblems
  ) -> PhysicalAddress? {
    let role = Role(
      stage: space.stage, snoopsAlways: space.snoopsAlways, capabilities: capabilities)
    let top = Table(frame: space.root.table.frame, level: space.root.levels)
    if let copied = known[role]?[top] { return copied }
    // The visitor owns the tables meanwhile, so that they are not copied.
    var visitor = Visitor(
      arena: arena, known: known.removeValue(forKey: role) ?? [:], stage: space.stage,
      capabilities: capabilities, isWalked: walked[space, below: capabilities] != nil,
      origin: origin, problems: problems)
    problems = CopyProblems()
    let statistics = PageTableWalk(
      memory: memory, space: space, unit: capabilities, budget: budget.walk, work: budget.work
    ).run(&visitor)
    budget.work?.note(statistics, "the copying of the tables at \(space.root.table)")
    known[role] = visitor.known
    problems = visitor.problems
    visitor.noteLeavesBeyondWidth(&problems)
    return visitor.top
  }

  /// Builds the copy while the one walk goes through the original.
  private struct Visitor: PagingVisitor {
    let arena: TableArena
    var known: [Table: PhysicalAddress]
    let stage: Stage
    let capabilities: UnitCapabilities
    /// Whether no level 1 table has an entry with reserved bits.
    let isWalked: Bool
    let origin: Origin
    var problems: CopyProblems
    /// The copied top table.
    var top: PhysicalAddress?
    /// The tables from the top down to the one being copied.
    private var path: [Step] = []
    /// Addresses from here on are closed to devices (MGAW); 0 for none.
    private let firstClosed: UInt64
    private var leavesBeyondWidth = 0
    private var firstBeyondWidth: PagingLeaf?

    private struct Step {
      var table: Table
      var copy: PhysicalAddress
      /// Something below was left out because of this path or a budget.
      var isCut = false
    }

    init(
      arena: TableArena, known: [Table: PhysicalAddress], stage: Stage,
      capabilities: UnitCapabilities, isWalked: Bool, origin: Origin, problems: CopyProblems
    ) {
      self.arena = arena
      self.known = known
      self.stage = stage
      self.capabilities = capabilities
      self.isWalked = isWalked
      self.origin = origin
      self.problems = problems
      let width = capabilities.capability.maximumGuestAddressWidth
      firstClosed = stage == .second && width < 64 ? 1 << UInt64(width) : 0
    }

    mutating func enter(_ table: PagingTable) -> WalkDecision {
      guard let copy = arena.allocate(.pageTable(stage, level: table.level)) else {
        note(
          .budget, .ended, table.address, table.iova,
          "the copy needs more than \(arena.pageLimit) pages")
        cutPath()
        return .stop
      }
      // Entries that are not present, and those that hardware faults on, stay what they are.
      arena.fill(copy, with: table.page)
      if table.isRevisit {
        note(
          .mixedLevels, .copied, table.address, table.iova,
          "the page is a table at level \(table.level) here and was met before; both are copied")
      }
      if let parent = path.last, let entry = table.entry {
        link(in: parent.copy, entry, to: copy)
      } else {
        top = copy
      }
      let place = Table(frame: table.address.frame, level: table.level)
      if table.level == 1, isWalked, !reachesClosed(table) {
        known[place] = copy
        return .skip
      }
      path.append(Step(table: place, copy: copy))
      return .enter
    }

    /// Whether a level 1 table stands for addresses that are closed to devices.
    private func reachesClosed(_ table: PagingTable) -> Bool {
      firstClosed != 0 && table.iova.rawValue | (PagingRules.span(level: 2) - 1) >= firstClosed
    }

    mutating func leave(_ table: PagingTable) {
      guard let step = path.popLast() else { return }
      if !step.isCut { known[step.table] = step.copy }
    }

    mutating func branch(_ branch: PagingBranch) -> WalkDecision {
      guard let step = path.last else { return .skip }
      let frame = branch.table.frame
      let slot = PhysicalAddress(step.copy.rawValue | UInt64(branch.entry.pageOffset))
      // Whatever cannot be copied below is left out; `enter` puts the pointer back.
      pending = (slot, branch.word)
      arena.store(0, at: slot)
      // The walk itself tells about a table on its own path.
      guard !path.contains(where: { $0.table.frame == frame }) else { return .enter }
      guard let copied = known[Table(frame: frame, level: branch.level - 1)] else { return .enter }
      arena.store(branch.word & ~PageTableCopier.addressMask | copied.rawValue, at: slot)
      return .skip
    }

    static let takesWholeTables = true

    /// What a table maps stays as it is, unless some of it is closed to devices.
    mutating func pages(_ table: PagingTable, _ pages: TablePages) -> Bool {
      !reachesClosed(table)
    }

    mutating func leaf(_ leaf: PagingLeaf) {
      if firstClosed != 0, leaf.iova.rawValue >= firstClosed {
        leavesBeyondWidth += 1
        if firstBeyondWidth == nil { firstBeyondWidth = leaf }
      }
    }

    /// The entry whose table is entered next: its place in the copy and its word.
    private var pending: (slot: PhysicalAddress, word: UInt64)?

    private mutating func link(
      in parent: PhysicalAddress, _ entry: PhysicalAddress, to copy: PhysicalAddress
    ) {
      guard let pending else { return }
      arena.store(pending.word & ~PageTableCopier.addressMask | copy.rawValue, at: pending.slot)
    }

    mutating func obstacle(_ obstacle: PagingObstacle) {
      let address = obstacle.entry
      func note(_ check: CopyProblem.Check, _ outcome: CopyProblem.Outcome, _ detail: String) {
        self.note(check, outcome, address, obstacle.iova, detail)
      }
      switch obstacle.kind {
      case .unreadable(let error):
        note(
          error.absence == .notInDump ? .tableOutsideMemory : .tableMissing, .dropped,
          "\(stage) table of level \(obstacle.level): \(error)")
      case .assumedZero:
        note(.assumedZero, .copied, "\(stage) table of level \(obstacle.level) is taken for zeros")
      case .cycle:
        note(.cycle, .dropped, "the entry \(obstacle.word.hexadecimal) leads back to its own path")
        cutPath()
      case .alias:
        // Sharing is ordinary; a second level is noted where the table is entered.
        break
      case .reservedBits(let bits):
        note(
          .reservedBits, .copied,
          "the entry \(obstacle.word.hexadecimal) has reserved bits \(bits.hexadecimal)")
      case .misalignedSuperpage(let bits):
        note(
          .misalignedPage, .copied,
          "the entry \(obstacle.word.hexadecimal) has address bits \(bits.hexadecimal) below its "
            + "page size")
      case .beyondHostAddressWidth(let bits):
        note(
          .beyondHostWidth, .copied,
          "the entry \(obstacle.word.hexadecimal) has address bits \(bits.hexadecimal) above "
            + "\(capabilities.hostAddressWidth) bits")
      case .secondStage, .unsupportedLevels:
        // Neither happens: stages are copied one by one, and levels were checked before.
        note(.fieldViolation, .dropped, "tables of \(obstacle.level) levels do not exist")
      case .budgetExhausted(let part):
        note(.budget, .ended, "the walk's budget of \(part.rawValue) is spent")
        cutPath()
      }
    }

    func noteLeavesBeyondWidth(_ problems: inout CopyProblems) {
      guard let first = firstBeyondWidth else { return }
      problems.note(
        CopyProblem(
          .beyondGuestWidth, .copied, bus: origin.bus, devfn: origin.devfn, pasid: origin.pasid,
          address: first.entry, iova: first.iova,
          detail: "\(leavesBeyondWidth) pages are mapped at addresses of more than "
            + "\(capabilities.capability.maximumGuestAddressWidth) bits (CAP.MGAW)"))
    }

    private mutating func cutPath() {
      for index in path.indices { path[index].isCut = true }
    }

    private mutating func note(
      _ check: CopyProblem.Check, _ outcome: CopyProblem.Outcome, _ address: PhysicalAddress?,
      _ iova: IOVirtualAddress, _ detail: String
    ) {
      problems.note(
        CopyProblem(
          check, outcome, bus: origin.bus, devfn: origin.devfn, pasid: origin.pasid,
          address: address, iova: iova, detail: detail))
    }
  }

  /// Bits 51:12.
  static let addressMask: UInt64 = 0x000f_ffff_ffff_f000
}
