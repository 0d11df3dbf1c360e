// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import VTd

/// Finds the pages that a unit's tables consist of.
public struct OldTables {
  private var frames: Set<UInt64> = []
  private let budget: CopyBudget

  public init(budget: CopyBudget = CopyBudget()) {
    self.budget = budget
  }

  /// Frames found so far, ascending.
  public var sorted: [UInt64] { frames.sorted() }

  /// Adds the pages of one unit: root, contexts, PASID tables and page tables.
  public mutating func add(_ unit: UnitTables) {
    frames.insert(unit.rootTable.frame)
    let reading = unit.read(budget)
    for root in reading.roots { frames.insert(root.contextTable.frame) }
    for context in reading.contexts where unit.mode == .scalable {
      let entry = ScalableContextEntry(words: context.words)
      let pages = max(1, entry.pasidDirectoryEntryCount / Page.wordCount)
      for page in 0..<UInt64(pages) { frames.insert(entry.pasidDirectory.frame &+ page) }
    }
    for entry in reading.directoryEntries { frames.insert(entry.word >> 12) }
    var spaces: Set<AddressSpace> = []
    for space in reading.paths.lazy.compactMap(\.addressSpace) where spaces.insert(space).inserted {
      var visitor = FrameVisitor(frames: frames)
      frames = []
      PageTableWalk(
        memory: unit.memory, space: space.hostTables, unit: unit.capabilities, budget: budget.walk,
        work: budget.work
      ).run(&visitor)
      frames = visitor.frames
    }
  }

  private struct FrameVisitor: PagingVisitor {
    var frames: Set<UInt64>

    mutating func enter(_ table: PagingTable) -> WalkDecision {
      frames.insert(table.address.frame)
      // Pages of 4 KiB tables are of no interest here.
      return table.level == 1 || table.isRevisit ? .skip : .enter
    }
  }
}
