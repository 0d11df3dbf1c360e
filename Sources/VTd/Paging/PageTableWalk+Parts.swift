// SPDX-License-Identifier: Apache-2.0

public import Memory

/// The part of a walk that lies behind one entry: a table and all below it.
///
/// Parts of one walk may be walked by several threads. Each knows the tables above it, so that a
/// cycle is one, and nothing of the tables beside it: whoever puts parts together has to see that
/// none of their frames is another's too.
public struct WalkPart: Sendable {
  /// The entry that points to the table.
  public var branch: PagingBranch
  /// Frames of the tables from the top down to the one that holds the entry.
  public var path: [UInt64]

  public init(_ branch: PagingBranch, path: [UInt64]) {
    self.branch = branch
    self.path = path
  }
}

extension PageTableWalk {
  /// Walks all tables, or only those of a part, on a budget that no run pays.
  ///
  /// A walk is split where its visitor passes by a branch; `run` of that branch's part visits what was
  /// passed by. There is no nesting in it.
  ///
  /// - Parameter part: `nil` for all, from the top.
  /// - Returns: what was met, and the frames of all tables that were pointed to.
  @inlinable
  public func run<Visitor: PagingVisitor>(
    _ part: WalkPart?, _ visitor: inout Visitor
  ) -> (statistics: WalkStatistics, frames: [UInt64]) {
    var walker = Walker(self)
    if let part {
      walker.path = part.path
      walker.visitTable(
        part.branch.table.rawValue, level: part.branch.level - 1,
        iova: part.branch.iova.rawValue, inherited: part.branch.access, entry: part.branch.entry,
        word: part.branch.word, &visitor)
    } else {
      walker.visitTable(
        space.root.table.rawValue, level: space.root.levels, iova: 0, inherited: .all, entry: nil,
        word: 0, &visitor)
    }
    walker.statistics.remaining = walker.budget
    visitor.finish(walker.statistics)
    return (walker.statistics, Array(walker.seen.keys))
  }
}
